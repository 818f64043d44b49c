"""Requantization without training."""

from dataclasses import replace

import numpy as np
import pytest

from fxhw.dice import dice
from fxhw.errors import FxhwError
from fxhw.fixed import FixedFormat, WeightFormat
from fxhw.golden import run_network
from fxhw.graph import Conv, Head, MaxPool, Network, UNetTopology, Upsample
from fxhw.graph.unet import ConvShape
from fxhw.quantize import requantize, widths
from tests.networks import random_image, random_network


def segmenting_network(size=(32, 32), channels=4):
    """A network of 8 bits that does something: smooth the image, then threshold it.

    Every convolution passes its channels on through a soft 3x3 kernel, with weak random weights
    between channels, as a trained network has strong weights and weak ones.
    """
    rng = np.random.default_rng(0)
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    topology = UNetTopology((channels,))
    ops, step = [], FixedFormat(8, 8)
    for layer in topology.layers:
        if not isinstance(layer, ConvShape):
            ops.append(layer)
            continue
        shape = (layer.out_channels, layer.in_channels, 3, 3)
        weights = rng.normal(0, 0.004, shape)
        for out in range(layer.out_channels):
            sources = range(out % layer.in_channels, layer.in_channels, layer.out_channels)
            for source in sources:
                weights[out, source] += kernel / len(sources)
        codes = np.clip(np.rint(weights * 256), -128, 127).astype(np.int8)
        frac, bias = np.full(layer.out_channels, 8), np.zeros(layer.out_channels, np.int64)
        names = layer.name, layer.input, layer.output
        ops.append(Conv(*names, WeightFormat(8), codes, frac, bias, step))
    codes = np.full(channels, 64, np.int8)
    ops.append(Head("head", "dec0b", "logit", WeightFormat(8), codes, 6, -64 * channels * 128))
    calibration = np.stack([random_image(rng, size) for _ in range(3)])
    return Network(step, 1, tuple(ops), size, calibration)


def unsaturated_network():
    """Widths 4 and 6 with every layer's result far below the clamp."""
    network = random_network(3, (3, 4), (24, 24), 4, 6)
    ops = []
    for op in network.ops:
        if isinstance(op, Conv):
            # Four fraction bits more in the weights divide each result by sixteen.
            op = replace(op, weight_frac=op.weight_frac + 4, bias=np.abs(op.bias))
        ops.append(op)
    network = replace(network, ops=tuple(ops))
    tensors = run_network(network, network.calibration[0], keep=True)[1]
    assert all(tensors[op.output].max() < 63 for op in network.convs)
    assert all(tensors[op.output].max() > 0 for op in network.convs)
    logits = tensors["logit"]
    shifted = replace(network.head, bias=network.head.bias - int(np.median(logits)))
    return replace(network, ops=(*network.ops[:-1], shifted))


def agreement(first, second, seed=9):
    image = random_image(np.random.default_rng(seed), first.size)
    return (run_network(first, image)[0] == run_network(second, image)[0]).mean()


def check_structure(network, result, wbits, abits):
    """Widths, kept layers and topology of a requantized network."""
    assert [op.name for op in result.ops] == [op.name for op in network.ops]
    for old, new in zip(network.ops, result.ops):
        if isinstance(old, Conv):
            assert new.out.width == abits
            assert new.weight.bits == (old.weight.bits if old.input == "image" else wbits)
        if isinstance(old, Head) or getattr(old, "input", None) == "image":
            assert new.weight == old.weight
            np.testing.assert_array_equal(new.codes, old.codes)
            np.testing.assert_array_equal(new.weight_frac, old.weight_frac)
        elif isinstance(old, MaxPool | Upsample):
            assert new == old
    tensors = result.tensors()
    for op in result.ops:
        if isinstance(op, MaxPool | Upsample):
            assert tensors[op.input].format == tensors[op.output].format
    result.resized((7, 9)).tensors()


@pytest.mark.parametrize("base", [(4, 6), (8, 8), (1, 1), (2, 3)])
def test_all_widths_give_a_sound_network(base):
    network = random_network(1, (2, 3), (12, 13), *base)
    for wbits in range(1, 9):
        for abits in range(1, 9):
            result = requantize(network, wbits, abits)
            check_structure(network, result, wbits, abits)
            run_network(result, network.calibration[0])


def test_colour_and_other_edge_widths():
    network = random_network(2, (3,), (9, 9), 4, 4, 3, first_wbits=6, last_wbits=3, ibits=5)
    result = requantize(network, 2, 7)
    check_structure(network, result, 2, 7)
    assert result.image == network.image


def test_same_widths_are_the_same_network():
    network = random_network(1, (2,), (8, 8), 4, 6)
    assert widths(network) == (4, 6)
    assert requantize(network, 4, 6) is network


def test_head_alone():
    head = Head("head", "image", "logit", WeightFormat(7), np.array([3], np.int8), 0, -6)
    network = Network(FixedFormat(5), 1, (head,), (2, 2))
    assert widths(network) == (7, 5)
    assert requantize(network, 1, 1) is network


def test_wider_weights_are_exact():
    network = random_network(1, (3, 4), (24, 24), 3, 5)
    for wbits in (4, 8):
        result = requantize(network, wbits, 5)
        assert agreement(network, result) == 1
        for old, new in zip(network.convs, result.convs):
            np.testing.assert_array_equal(old.codes, new.codes)
            np.testing.assert_array_equal(old.bias, new.bias)


def test_binary_weights_widen_exactly():
    network = random_network(1, (3, 4), (24, 24), 1, 5)
    assert agreement(network, requantize(network, 2, 5)) == 1


def test_wider_everything_is_exact_where_nothing_saturates():
    network = unsaturated_network()
    result = requantize(network, 8, 8)
    image = network.calibration[0]
    mask = run_network(network, image)[0]
    assert 0.05 < mask.mean() < 0.95
    np.testing.assert_array_equal(run_network(result, image)[0], mask)
    for old, new in zip(network.convs, result.convs):
        assert new.out.frac == old.out.frac


def test_wider_activations_keep_most_of_the_mask_where_some_saturate():
    network = random_network(1, (3, 4), (24, 24), 4, 6)
    assert agreement(network, requantize(network, 8, 8)) > 0.9


@pytest.mark.parametrize(
    ("wbits", "abits", "least"),
    [(8, 8, 100), (8, 6, 98), (6, 8, 98), (4, 6, 97), (4, 4, 95), (3, 4, 94), (2, 4, 70)],
)
def test_fewer_bits_cost_little_in_a_network_that_segments(wbits, abits, least):
    network = segmenting_network()
    result = requantize(network, wbits, abits)
    scores = []
    for seed in range(4):
        image = random_image(np.random.default_rng(100 + seed), network.size)
        masks = [run_network(net, image)[0] for net in (network, result)]
        assert 0.1 < masks[0].mean() < 0.9
        scores.append(dice(masks[1], masks[0]))
    assert np.mean(scores) >= least


def test_weights_take_the_best_power_of_two_step():
    """Against every step there is, channel by channel."""
    network = random_network(5, (4,), (8, 8), 8, 8)
    for wbits in range(1, 8):
        result = requantize(network, wbits, 8)
        target = WeightFormat(wbits)
        levels = [-1, 1] if wbits == 1 else range(target.min, target.max + 1)
        for old, new in zip(network.convs[1:], result.convs[1:]):
            for channel in range(old.out_channels):
                flat = old.codes[channel].ravel().astype(float)
                scale = 2.0 ** (old.weight_frac[channel] - new.weight_frac[channel])
                got = ((new.codes[channel].ravel() * scale - flat) ** 2).sum()
                errors = []
                for shift in range(-2, 10):
                    steps = np.array(levels, float) * 2.0**shift
                    errors.append((np.abs(flat[:, None] - steps).min(axis=1) ** 2).sum())
                assert got == min(errors)


def test_activation_step_follows_the_codes_in_use():
    """Codes that use half of their range lose nothing when the width falls by one."""
    network = unsaturated_network()
    top = max(
        run_network(network, image, keep=True)[1][op.output].max()
        for op in network.convs
        for image in network.calibration
    )
    bits = int(top).bit_length()
    assert bits < 6
    result = requantize(network, 4, bits)
    image = network.calibration[0]
    np.testing.assert_array_equal(run_network(result, image)[0], run_network(network, image)[0])


def test_biases_restore_the_means():
    network = random_network(1, (6, 10), (37, 41), 8, 8)
    result = requantize(network, 3, 4)
    image = random_image(np.random.default_rng(5), (37, 41))
    logits = [run_network(net, image)[1]["logit"] for net in (network, result)]
    scale = [2.0 ** -net.tensors()["logit"].format.frac for net in (network, result)]
    means = [(part * unit).mean() for part, unit in zip(logits, scale)]
    spread = (logits[0] * scale[0]).std()
    assert abs(means[0] - means[1]) < 0.5 * spread
    assert agreement(network, result) > 0.7


def test_says_that_it_was_not_retrained():
    network = random_network(1, (2,), (8, 8), 4, 6)
    meta = requantize(network, 3, 4).meta
    assert meta["requantized"] == "from w4a6 to w3a4, not retrained"
    assert meta["dataset"] == "random"


def test_weights_alone_need_no_calibration():
    network = random_network(1, (2,), (8, 8), 4, 6)
    bare = replace(network, calibration=np.zeros((0, 8, 8, 1), np.uint8))
    assert agreement(network, requantize(bare, 8, 6)) == 1
    check_structure(bare, requantize(bare, 2, 6), 2, 6)


def test_activations_need_calibration():
    network = random_network(1, (2,), (8, 8), 4, 6)
    bare = replace(network, calibration=np.zeros((0, 8, 8, 1), np.uint8))
    message = (
        r"^A w4a6 network without calibration images cannot get activations of 5 bits; "
        r"train one: fxhw train \.\.\. --wbits 4 --abits 5$"
    )
    with pytest.raises(FxhwError, match=message):
        requantize(bare, 4, 5)


@pytest.mark.parametrize(("wbits", "abits"), [(0, 4), (9, 4), (4, 0), (4, 9)])
def test_width_wrong(wbits, abits):
    option = "--abits" if wbits == 4 else "--wbits"
    with pytest.raises(FxhwError, match=rf"^{option} must be 1 to 8 bits, not [09]$"):
        requantize(random_network(1, (2,), (8, 8), 4, 6), wbits, abits)


def test_shift_that_would_be_negative():
    """Large inputs, large weights and a small result, without a shift to take bits from."""
    network = random_network(1, (1,), (1, 1), 8, 8, extreme=True)
    ops = []
    for op in network.ops:
        if isinstance(op, Conv):
            codes = np.where(op.codes < 0, -127, 127).astype(np.int8)
            codes[:, :, 1, 1] = 127
            first = op.input == "image"
            # Code 255 out of the first layer, code 1 out of all others.
            bias = [1 << 20] if first else [1 - 127 * (255 if op.input == "enc0a" else 1)]
            op = replace(op, codes=codes, bias=np.array(bias), out=FixedFormat(8, 0))
            op = replace(op, weight_frac=np.zeros(1, int))
        ops.append(op)
    network = replace(network, ops=tuple(ops), image=FixedFormat(8, 0))
    network = replace(network, calibration=np.full((1, 1, 1, 1), 255, np.uint8))
    message = (
        r"^Layer \w+, channel 0: with 1-bit weights its sums are \d+ bits coarser than the best "
        r"step of 1-bit activations, so the shift would be -\d+; "
        r"train one: fxhw train \.\.\. --wbits 1 --abits 1$"
    )
    with pytest.raises(FxhwError, match=message):
        requantize(network, 1, 1)


@pytest.mark.parametrize(
    ("kinds", "has"),
    [
        ({"weights": "ternary"}, "Layer enc0b has ternary weights"),
        ({"weights": "power"}, "Layer enc0b has pow4 weights"),
        ({"end_weights": "ternary"}, "Layer enc0a has ternary weights"),
        ({"activations": "signed"}, "Layer enc0a has signed activations"),
        ({"activations": "ternary"}, "Layer enc0a has ternary activations"),
        ({"activations": "sign"}, "Layer enc0a has sign activations"),
        ({"multipliers": True}, "Layer enc0a has a multiplier"),
    ],
)
def test_other_kinds_are_refused(kinds, has):
    network = random_network(0, (2,), (8, 8), 4, 6, **kinds)
    message = rf"^{has}, but only fixed weights and unsigned activations .*; train one: fxhw train"
    for wanted in ((8, 8), widths(network)):
        with pytest.raises(FxhwError, match=message):
            requantize(network, *wanted)


def test_normalization_is_kept():
    network = replace(random_network(0, (2,), (8, 8), 4, 6), normalization="zscore")
    assert requantize(network, 5, 7).normalization == "zscore"


def test_wide_networks_become_narrow():
    network = random_network(0, (3,), (24, 24), 12, 10)
    narrow = requantize(network, 8, 8)
    assert widths(narrow) == (8, 8)
    image = random_image(np.random.default_rng(1), (24, 24))
    masks = [run_network(net, image)[0] for net in (network, narrow)]
    assert dice(*masks) > 95
