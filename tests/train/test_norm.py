"""Batch-norm live and folded: one function, code by code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from fxhw.graph import UNetTopology  # noqa: E402
from fxhw.synthetic import make_sample  # noqa: E402
from fxhw.train.calibrate import calibrate_activations  # noqa: E402
from fxhw.train.norm import NormUNet, PaperUNet  # noqa: E402
from fxhw.train.unet import FloatUNet, QuantUNet, image_tensor  # noqa: E402

pytestmark = pytest.mark.train

KINDS = [
    ("fixed", 4, 6, "relu"), ("fixed", 2, 4, "relu"), ("fixed", 8, 8, "tanh"),
    ("ternary", 2, 6, "relu"), ("ternary", 2, 2, "ternary"),
    ("binary", 1, 6, "relu"), ("binary", 1, 1, "sign"), ("inq", 5, 8, "relu"),
]


def images(count=4):
    return image_tensor(np.stack([make_sample(40, 40, seed)[0] for seed in range(count)]))


TOPOLOGY = UNetTopology.doubling(4, 2)


def random_float(seed, activation):
    """Float network whose batch-norms have signs, shifts and statistics of their own."""
    torch.manual_seed(seed)
    network = FloatUNet(TOPOLOGY, activation).train()
    with torch.no_grad():
        for block in network.blocks.values():
            block[1].weight.uniform_(-1.5, 1.5)
            block[1].bias.normal_(0, 0.5)
        for _ in range(20):
            network(images())
    return network


def normalized(seed, quantizer, wbits, abits, activation):
    """Network with live batch-norm that has seen a few batches."""
    network = NormUNet(random_float(seed, activation), wbits, abits, 8, quantizer, activation)
    calibrate_activations(network, images())
    network.start()
    network.train()
    with torch.no_grad():
        for _ in range(40):
            network(images())
    return network.eval()


def outputs(network):
    """Values of every convolution's activation, by layer name."""
    seen = {}
    hooks = [
        block.register_forward_hook(lambda _, __, out, name=name: seen.setdefault(name, out))
        for name, block in network.blocks.items()
    ]
    with torch.no_grad():
        network.double().eval()(images().double())
    for hook in hooks:
        hook.remove()
    return seen


@settings(max_examples=16)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 100))
def test_folding_changes_no_code(kind, seed):
    quantizer, wbits, abits, activation = kind
    network = normalized(seed, *kind)
    folded = QuantUNet(network.topology, network.fold(), wbits, abits, 8, 8, quantizer, activation)
    network.hand_over(folded)
    before, after = outputs(network), outputs(folded)
    compared = 0
    for name, values in before.items():
        block = folded.blocks[name]
        if (block.weights.exponent.round() < block.weight_low).any():
            break  # a shift must not be negative, so codes change from here on
        # Real numbers before a threshold round to either side, but hardly ever.
        assert (values != after[name]).double().mean() < 1e-2
        compared += 1
    assert compared > 0


def test_the_scale_is_a_power_of_two_and_positive():
    network = normalized(3, "fixed", 4, 6, "relu")
    for block in network.blocks.values():
        scale = block.scale().double()
        assert (scale > 0).all()
        np.testing.assert_array_equal(torch.log2(scale) % 1, 0)
        ratio = block.norm.weight / torch.sqrt(block.norm.running_var + block.norm.eps)
        assert (torch.log2(scale / ratio).abs() <= 0.5 + 1e-6).all()


def test_turning_signs_keeps_the_function():
    source = random_float(0, "relu").eval()
    with torch.no_grad():
        expected = source(images())
        network = NormUNet(source, 8, 8).eval()
        torch.testing.assert_close(network(images()), expected)
    assert all((block.norm.weight >= 0).all() for block in network.blocks.values())


def test_the_papers_first_level_stays_real():
    network = PaperUNet(random_float(0, "relu"), 4, 6).eval()
    seen = outputs(network)
    assert len(torch.unique(seen["enc0b"])) > 64
    for name in ("enc1a", "mida", "dec0b"):
        values = seen[name]
        assert (values == values.round()).all()
        assert values.min() >= 0
        assert values.max() <= 63
