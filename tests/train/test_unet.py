"""Folding, calibration and export: the torch network and the golden model, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from fxhw.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from fxhw.golden import run_network  # noqa: E402
from fxhw.graph import UNetTopology  # noqa: E402
from fxhw.synthetic import make_sample  # noqa: E402
from fxhw.train.calibrate import calibrate  # noqa: E402
from fxhw.train.evaluate import exact_logits, predict  # noqa: E402
from fxhw.train.export import export  # noqa: E402
from fxhw.train.fold import fold  # noqa: E402
from fxhw.train.unet import FloatUNet, QuantUNet, format_groups, image_tensor  # noqa: E402

pytestmark = pytest.mark.train


def random_image(size, channels, seed):
    planes = [make_sample(*size, seed + channel)[0] for channel in range(channels)]
    return np.concatenate(planes, axis=2)


def random_float(topology, image, seed, activation="relu"):
    """A network with random weights whose batch-norm has seen ``image``, in evaluation mode."""
    torch.manual_seed(seed)
    network = FloatUNet(topology, activation)
    with torch.no_grad():
        for block in network.blocks.values():
            block[1].momentum = None
            block[1].weight.normal_(1, 0.3)
            block[1].bias.normal_(0, 0.3)
        batch = np.stack([image, image[::-1], image[:, ::-1]])
        network.train()(image_tensor(batch))
        logits = network.eval()(image_tensor(image[None]))
        network.head.bias -= logits.median()
    return network


def quantized(topology, image, seed, **bits):
    options = {"wbits": 4, "abits": 6} | bits
    source = random_float(topology, image, seed, options.get("activation", "relu"))
    network = QuantUNet(topology, fold(source), **options)
    calibrate(network, image_tensor(image[None]))
    return network


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000),
    weights=st.sampled_from(
        [("fixed", bits) for bits in (1, 2, 3, 4, 8, 16)]
        + [("ternary", 2), ("binary", 1), ("inq", 3), ("inq", 5)]
    ),
    abits=st.sampled_from([2, 3, 6, 8, 16]),
    activation=st.sampled_from(["relu", "tanh", "ternary", "sign"]),
    first_wbits=st.sampled_from([1, 4, 8]),
    last_wbits=st.sampled_from([1, 4, 8]),
    channels=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    image_channels=st.sampled_from([1, 3]),
    size=st.tuples(st.integers(5, 40), st.integers(5, 40)),
)
def test_torch_and_golden_give_the_same_logits(
    seed, weights, abits, activation, first_wbits, last_wbits, channels, image_channels, size
):
    topology = UNetTopology(tuple(channels), image_channels)
    image = random_image(size, image_channels, seed)
    network = quantized(
        topology, image, seed, quantizer=weights[0], wbits=weights[1], abits=abits,
        activation=activation, first_wbits=first_wbits, last_wbits=last_wbits,
    )
    other = random_image((size[1], size[0]), image_channels, seed + 10)
    exported = export(network, size)
    for pixels in (image, other):
        mask, tensors = run_network(exported, pixels)
        np.testing.assert_array_equal(exact_logits(network, pixels), tensors["logits"][:, :, 0])
        if weights[1] <= 8 and abits <= 8:  # else float32 sums are not exact
            np.testing.assert_array_equal(predict(network, pixels), mask)


@pytest.mark.parametrize(("wbits", "abits"), [(1, 1), (2, 2), (4, 6), (8, 8)])
def test_every_layer_of_torch_and_golden_agrees(wbits, abits):
    topology = UNetTopology.doubling(4, 2)
    image = random_image((30, 41), 1, 5)
    network = quantized(topology, image, 1, wbits=wbits, abits=abits).double()
    seen = {}
    for name, block in network.blocks.items():
        block.register_forward_hook(lambda _, __, out, name=name: seen.setdefault(name, out))
    with torch.no_grad():
        network(image_tensor(image[None], dtype=torch.float64))
    _, tensors = run_network(export(network, (30, 41)), image, keep=True)
    lively = 0
    for name, values in seen.items():
        frac = int(network.blocks[name].activation.frac)
        codes = values[0].permute(1, 2, 0).numpy() * 2.0**frac
        np.testing.assert_array_equal(codes, tensors[name])
        lively += len(np.unique(codes)) > 1
    assert lively == len(topology.convs)


def test_float32_is_exact_for_sums_that_fit_it():
    topology = UNetTopology.doubling(8, 3)
    image = random_image((64, 64), 1, 2)
    network = quantized(topology, image, 0)
    with torch.no_grad():
        logits = network(image_tensor(image[None]))[0, 0].double().numpy()
    frac = int(network.head.in_frac + network.head.weight_frac)
    np.testing.assert_array_equal(logits * 2.0**frac, exact_logits(network, image))


def test_folding_keeps_the_function():
    topology = UNetTopology.doubling(5, 2, image_channels=3)
    image = random_image((33, 30), 3, 0)
    network = random_float(topology, image, 3)
    folded = QuantUNet(topology, fold(network), 8, 8).double()
    with torch.no_grad():
        expected = network.double()(image_tensor(image[None], dtype=torch.float64))
        result = folded(image_tensor(image[None], dtype=torch.float64))
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)
    assert expected.std() > 0.01


def test_quantization_at_eight_bits_stays_close_to_the_float_network():
    topology = UNetTopology.doubling(4, 2)
    image = random_image((48, 48), 1, 1)
    network = random_float(topology, image, 4)
    close = QuantUNet(topology, fold(network), 8, 8)
    calibrate(close, image_tensor(image[None]))
    assert (predict(close, image) == predict(network, image)).mean() > 0.95


def test_the_tensors_of_a_concatenation_share_one_format():
    topology = UNetTopology.doubling(4, 2)
    groups = format_groups(topology)
    assert ["enc0b", "dec1b"] in groups
    assert ["enc1b", "midb"] in groups
    assert sorted(sum(groups, [])) == sorted(conv.name for conv in topology.convs)


def test_a_dead_channel_is_exported():
    topology = UNetTopology.doubling(3, 1)
    image = random_image((16, 16), 1, 0)
    parameters = fold(random_float(topology, image, 0))
    parameters["enc0b"][0][1] = 0
    network = QuantUNet(topology, parameters, 4, 6)
    calibrate(network, image_tensor(image[None]))
    exported = export(network, (16, 16))
    assert not exported.convs[1].codes[1].any()
    logits = run_network(exported, image)[1]["logits"][:, :, 0]
    np.testing.assert_array_equal(exact_logits(network, image), logits)


def test_an_exported_network_survives_its_file(tmp_path):
    topology = UNetTopology.doubling(3, 2)
    image = random_image((20, 20), 1, 0)
    network = quantized(topology, image, 0, wbits=3)
    exported = export(network, (20, 20), image[None], {"dataset": "none"})
    save_checkpoint(exported, tmp_path / "a.safetensors")
    loaded = load_checkpoint(tmp_path / "a.safetensors")
    assert loaded.meta == {"dataset": "none"}
    np.testing.assert_array_equal(loaded.calibration, image[None])
    expected = run_network(exported, image)[1]["logits"]
    np.testing.assert_array_equal(run_network(loaded, image)[1]["logits"], expected)
