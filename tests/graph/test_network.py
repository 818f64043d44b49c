"""Shapes, counts, and every refusal of a network."""

from dataclasses import replace

import numpy as np
import pytest

from fxhw.errors import FxhwError
from fxhw.fixed import (
    FixedFormat,
    SignActivation,
    SignedActivation,
    TernaryActivation,
    WeightFormat,
    normalize,
)
from fxhw.graph import Concat, Conv, Head, Network, UNetTopology
from tests.networks import random_image, random_network


@pytest.fixture(scope="module")
def network():
    return random_network(0, (2, 3), (9, 14), 4, 5)


def changed(network, layer, **changes):
    """``network`` with fields of one operator replaced."""
    ops = tuple(replace(op, **changes) if op.name == layer else op for op in network.ops)
    return replace(network, ops=ops)


def conv(network, name):
    return next(op for op in network.convs if op.name == name)


def test_tensors_at_odd_sizes(network):
    tensors = network.tensors()
    shapes = {name: info.shape for name, info in tensors.items()}
    assert shapes["image"] == (9, 14, 1)
    assert shapes["pool0"] == (5, 7, 2)
    assert shapes["pool1"] == (3, 4, 3)
    assert shapes["midb"] == (3, 4, 3)
    assert shapes["up1"] == (5, 7, 3)
    assert shapes["cat0"] == (9, 14, 5)
    assert shapes["logit"] == (9, 14, 1)
    assert tensors["cat0"].format == tensors["enc0b"].format
    assert tensors["pool0"].bits == 5 * 7 * 2 * 5


def test_logits_hold_every_sum_and_any_bias(network):
    head = network.head
    source = network.tensors()[head.input].format
    accumulator = head.accumulator(source)
    for bias in (head.bias, (1 << 47) - 5, -(1 << 47)):
        logit = changed(network, "head", bias=bias).tensors()["logit"].format
        assert logit.signed
        assert logit.frac == source.frac + head.weight_frac
        assert logit.contains([accumulator.min + bias, accumulator.max + bias])


def test_producer_and_layers(network):
    assert network.producer("image") is None
    assert network.producer("cat0").name == "cat0"
    assert [op.name for op in network.convs][:3] == ["enc0a", "enc0b", "enc1a"]
    assert network.head.name == "head"


def test_resized_network_keeps_everything_else(network):
    other = network.resized((16, 16))
    assert other.size == (16, 16)
    assert other.ops is network.ops
    assert other.tensors()["pool1"].shape == (4, 4, 3)


def test_macs_are_counted_by_hand(network):
    macs = network.macs()
    assert macs["enc0a"] == 9 * 14 * 9 * 1 * 2
    assert macs["enc1b"] == 5 * 7 * 9 * 3 * 3
    assert macs["dec0a"] == 9 * 14 * 9 * 5 * 2
    assert macs["head"] == 9 * 14 * 2
    assert sum(network.macs((18, 28)).values()) > sum(macs.values())


def test_macs_of_the_paper_network():
    """64 base channels and three levels on 200x200 pixels: 22.9 billion."""
    total = 200 * 200 * 64
    for shape in UNetTopology.doubling(64, 3).convs:
        level = 3 if shape.name.startswith("mid") else int(shape.name[3])
        total += (200 >> level) ** 2 * 9 * shape.in_channels * shape.out_channels
    assert round(total / 1e9, 1) == 22.9


def test_stored_bits_are_counted_by_hand(network):
    stored = network.stored_bits()
    inner = sum(op.codes.size for op in network.convs[1:])
    assert stored["weights"] == 18 * 8 + inner * 4 + 2 * 8
    tensors = network.tensors()
    plans = [(op, op.requantize(tensors[op.input].format)) for op in network.convs]
    biases = sum(op.out_channels * plan.bias.width for op, plan in plans)
    head = network.tensors()["logit"].format
    assert biases < stored["biases"] <= biases + head.width
    assert stored["shifts"] == sum(op.out_channels * plan.shift_width for op, plan in plans)


@pytest.mark.parametrize("extreme", [False, True])
def test_requantizer_holds_every_bias_and_shift(extreme):
    for seed in range(8):
        network = random_network(seed, (3,), (8, 8), 1 + seed, 8 - seed, extreme=extreme)
        tensors = network.tensors()
        for op in network.convs:
            source = tensors[op.input].format
            plan = op.requantize(source)
            assert plan.bias.contains(op.rounded_bias(source))
            assert plan.acc.contains([op.accumulator(source).min, op.accumulator(source).max])
            assert op.shift(source).max() <= plan.max_shift


def test_peak_activation_bits_counted_by_hand(network):
    # 9x14: while dec0a runs, up0 (3 channels), enc0b (2) and its own result (2) are alive.
    assert network.peak_activation_bits() == 9 * 14 * (3 + 2 + 2) * 5
    # 1x1: all levels are one pixel; dec1a reads up1 (3) and enc1b (3) and makes 3, enc0b (2) waits.
    assert network.peak_activation_bits((1, 1)) == (3 + 3 + 3 + 2) * 5


def test_empty_calibration_takes_the_image_shape():
    network = random_network(0, (2,), (8, 6), 4, 4, image_channels=3)
    assert replace(network, calibration=np.zeros((0, 1, 1, 1), np.uint8)).calibration.shape == (
        0, 8, 6, 3
    )


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 3)])
def test_size_wrong(network, size):
    with pytest.raises(FxhwError, match=rf"^Image size must be .* not {size[0]}x{size[1]}$"):
        network.resized(size)


@pytest.mark.parametrize("fmt", [FixedFormat(8, 0, True), FixedFormat(9)])
def test_image_format_wrong(network, fmt):
    with pytest.raises(FxhwError, match=rf"^The image has format {fmt.name}, but pixels must be"):
        replace(network, image=fmt)


@pytest.mark.parametrize("ops", [(), "no head"])
def test_no_head(network, ops):
    with pytest.raises(FxhwError, match=r"^The network must end in a 1x1 head$"):
        replace(network, ops=network.ops[:-1] if ops else ())


def test_head_in_the_middle(network):
    early = replace(network.head, name="early", input="image", output="e", codes=np.ones(1, int))
    with pytest.raises(FxhwError, match=r"^Layer early is a head, but not the last layer$"):
        replace(network, ops=(early, *network.ops))


def test_missing_input(network):
    with pytest.raises(FxhwError, match=r"^Layer enc0b reads tensor nowhere, which nothing makes"):
        changed(network, "enc0b", input="nowhere")


def test_missing_upsample_reference(network):
    with pytest.raises(FxhwError, match=r"^Layer up1 reads tensor nowhere, which nothing makes"):
        changed(network, "up1", like="nowhere")


def test_reads_a_later_tensor(network):
    with pytest.raises(FxhwError, match=r"^Layer enc0b reads tensor dec0a, which nothing makes"):
        changed(network, "enc0b", input="dec0a")


def test_tensor_made_twice(network):
    with pytest.raises(FxhwError, match=r"^Layer enc0b makes tensor enc0a, which exists already"):
        changed(network, "enc0b", output="enc0a")


def test_name_taken_twice(network):
    with pytest.raises(FxhwError, match=r"^Two layers are called enc0a; names must differ$"):
        changed(network, "enc0b", name="enc0a")


@pytest.mark.parametrize("shape", [(2, 3, 3, 3), (2, 2, 5, 5), (2, 2, 3)])
def test_conv_weights_of_wrong_shape(network, shape):
    message = (
        r"^Layer enc0b has weights of shape .*, but its input enc0a has 2 channels: "
        r"expected \(out_channels, 2, 3, 3\)$"
    )
    with pytest.raises(FxhwError, match=message):
        changed(network, "enc0b", codes=np.ones(shape, np.int8))


def test_weight_codes_outside_format(network):
    codes = conv(network, "enc1a").codes.copy()
    codes[1, 0, 2, 2] = 8
    with pytest.raises(
        FxhwError, match=r"^Layer enc1a has weight codes -?\d+ \.\. 8 outside its format s4$"
    ):
        changed(network, "enc1a", codes=codes)


def test_binary_weights_with_a_zero(network):
    codes = np.ones_like(conv(network, "enc1a").codes)
    codes[0, 0, 0, 0] = 0
    with pytest.raises(FxhwError, match=r"^Layer enc1a .* 0 \.\. 1 outside its format binary$"):
        changed(network, "enc1a", codes=codes, weight=WeightFormat(1))


@pytest.mark.parametrize("field", ["weight_frac", "bias"])
def test_channel_vector_of_wrong_shape(network, field):
    message = rf"^Layer mida has {field} of shape \(2,\), but 3 output channels$"
    with pytest.raises(FxhwError, match=message):
        changed(network, "mida", **{field: np.zeros(2, np.int64)})


def test_shift_below_zero(network):
    op = conv(network, "mida")
    frac = op.weight_frac.copy()
    frac[1] -= op.shift(network.tensors()[op.input].format)[1] + 3
    message = r"^Layer mida, channel 1: the shift is -3, below 0; .* 3 more fraction bits"
    with pytest.raises(FxhwError, match=message):
        changed(network, "mida", weight_frac=frac)


def test_shift_above_48(network):
    op = conv(network, "mida")
    frac = op.weight_frac.copy()
    frac[2] += 49 - op.shift(network.tensors()[op.input].format)[2]
    with pytest.raises(FxhwError, match=r"^Layer mida, channel 2: the shift is 49, above 48;"):
        changed(network, "mida", weight_frac=frac)


@pytest.mark.parametrize("bias", [1 << 48, -(1 << 48), -(1 << 63)])
def test_bias_too_large(network, bias):
    biases = conv(network, "enc1b").bias.copy()
    biases[2] = bias
    message = rf"^Layer enc1b, channel 2: the bias is {bias}, but its magnitude must stay below"
    with pytest.raises(FxhwError, match=message):
        changed(network, "enc1b", bias=biases)
    with pytest.raises(FxhwError, match=rf"^Layer head: the bias is {bias}, "):
        changed(network, "head", bias=bias)


def test_head_of_wrong_shape(network):
    message = r"^Layer head has weights of shape \(3,\), but its input dec0b has 2 channels$"
    with pytest.raises(FxhwError, match=message):
        changed(network, "head", codes=np.ones(3, np.int8))


def test_head_codes_outside_format(network):
    with pytest.raises(FxhwError, match=r"^Layer head has weight codes .* outside its format s8$"):
        changed(network, "head", codes=np.array([1, 200]))


def test_upsample_to_other_than_twice(network):
    message = r"^Layer up1 cannot upsample 3x4 to 9x14: that is not twice the size$"
    with pytest.raises(FxhwError, match=message):
        changed(network, "up1", like="enc0b")


def test_concat_of_different_sizes(network):
    message = r"^Layer cat1 concatenates up1 of 5x7 with pool1 of 3x4: sizes must agree$"
    with pytest.raises(FxhwError, match=message):
        changed(network, "cat1", inputs=("up1", "pool1"))


def test_concat_of_different_formats(network):
    op = conv(network, "midb")
    coarser = FixedFormat(5, op.out.frac - 1)
    message = (
        rf"^Layer cat1 concatenates up1 in format {coarser.name} "
        rf"with enc1b in {op.out.name}: formats must agree$"
    )
    with pytest.raises(FxhwError, match=message):
        changed(network, "midb", out=coarser)


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 4, 4, 3)])
def test_calibration_of_wrong_shape(network, shape):
    with pytest.raises(FxhwError, match=r"^Calibration images have shape .*, expected \(n, "):
        replace(network, calibration=np.zeros(shape, np.uint8))


def test_calibration_codes_wrong(network):
    with pytest.raises(FxhwError, match=r"^Calibration images must be uint8 .*, not float64"):
        replace(network, calibration=np.zeros((1, 4, 4, 1)))
    with pytest.raises(FxhwError, match=r"codes of at most 15, not uint8 up to 16$"):
        replace(
            network, image=FixedFormat(4, 8), calibration=np.full((1, 4, 4, 1), 16, np.uint8)
        )


def test_smallest_network():
    """A head alone on the image is a network."""
    head = Head("head", "image", "logit", WeightFormat(8), np.array([3], np.int8), 0, -6)
    network = Network(FixedFormat(8), 1, (head,), (2, 2))
    assert network.convs == []
    assert network.macs() == {"head": 4}


def test_any_order_of_concatenation(network):
    ops = [
        replace(op, inputs=op.inputs[::-1]) if isinstance(op, Concat) else op for op in network.ops
    ]
    swapped = replace(network, ops=tuple(ops))
    assert swapped.tensors()["cat0"] == network.tensors()["cat0"]
    assert all(isinstance(op, Conv) for op in swapped.convs)


ACTIVATIONS = [SignedActivation(4, 2), TernaryActivation(1), SignActivation()]


@pytest.mark.parametrize("kind", ["signed", "ternary", "sign"])
@pytest.mark.parametrize("weights", ["fixed", "ternary", "power"])
def test_other_kinds_are_networks(weights, kind):
    network = random_network(
        1, (2, 3), (9, 8), 4, 5, weights=weights, activations=kind, end_weights=weights
    )
    tensors = network.tensors()
    assert {tensors[op.output].format.kind for op in network.convs} == {kind}
    assert tensors["cat0"].format.kind == tensors["pool1"].format.kind == kind
    accumulator = network.head.accumulator(tensors["dec0b"].format)
    assert tensors["logit"].format.contains([accumulator.min, accumulator.max])


@pytest.mark.parametrize("out", ACTIVATIONS, ids=str)
def test_concat_of_different_kinds(network, out):
    message = rf"^Layer cat1 concatenates up1 in format {out.name} with enc1b in u5\..*must agree$"
    with pytest.raises(FxhwError, match=message):
        changed(network, "midb", out=out)


def test_concat_of_ternary_with_two_bits():
    """One range of frac and width, but not the same codes."""
    network = random_network(1, (2,), (8, 8), 4, 2, activations="signed")
    op = conv(network, "midb")
    with pytest.raises(FxhwError, match=r"^Layer cat0 concatenates up0 in format t\.-?\d+ with "):
        changed(network, "midb", out=TernaryActivation(op.out.frac))


def test_a_sign_takes_no_shift():
    network = random_network(0, (2,), (8, 8), 1, 1, activations="sign")
    tensors = network.tensors()
    for op in network.convs:
        source = tensors[op.input].format
        assert op.shift(source).tolist() == [0] * op.out_channels
        assert op.rounded_bias(source).tolist() == op.bias.tolist()
        assert op.requantize(source).shift_width == 0
    assert network.stored_bits()["shifts"] == 0


def test_stored_bits_of_other_kinds():
    network = random_network(0, (2, 3), (8, 8), 5, 4, weights="power", end_weights="ternary")
    inner = sum(op.codes.size for op in network.convs[1:])
    assert network.stored_bits()["weights"] == 18 * 2 + inner * 5 + 2 * 2
    assert "multipliers" not in network.stored_bits()


@pytest.mark.parametrize("extreme", [False, True])
def test_multipliers_are_counted_and_fit(extreme):
    for seed in range(6):
        network = random_network(seed, (3,), (8, 8), 4, 5, extreme=extreme, multipliers=True)
        tensors = network.tensors()
        for op in network.convs:
            source = tensors[op.input].format
            plan = op.requantize(source)
            assert plan.bias.contains(op.rounded_bias(source))
            assert plan.acc.contains([op.accumulator(source).min, op.accumulator(source).max])
            assert 1 <= op.multiplier.min() <= op.multiplier.max() <= plan.max_multiplier
            assert op.shift(source).max() <= plan.max_shift
        bits = [op.out_channels * int(op.multiplier.max()).bit_length() for op in network.convs]
        assert network.stored_bits()["multipliers"] == sum(bits)


@pytest.mark.parametrize("value", [0, -3, 1 << 16])
def test_multiplier_out_of_range(network, value):
    message = rf"^Layer mida, channel 1: the multiplier is {value}, but must lie in 1 \.\. 65535$"
    with pytest.raises(FxhwError, match=message):
        changed(network, "mida", multiplier=np.array([1, value, 65535]))


def test_multiplier_of_wrong_shape(network):
    message = r"^Layer mida has multiplier of shape \(2,\), but 3 output channels$"
    with pytest.raises(FxhwError, match=message):
        changed(network, "mida", multiplier=np.ones(2, np.int64))


def wide_network(weight_bits, abits, multiplier=None):
    """Two convolutions of one channel, the second as wide as asked."""
    codes, zero = np.ones((1, 1, 3, 3), np.int64), np.zeros(1, np.int64)
    weight = WeightFormat(*weight_bits)
    out = FixedFormat(abits, 0)
    first = Conv("first", "image", "a", WeightFormat(8), codes, zero, zero, out)
    second = Conv("second", "a", "b", weight, codes, zero, zero, out, multiplier)
    head = Head("head", "b", "logit", WeightFormat(8), np.ones(1, np.int64), 0, 0)
    return Network(FixedFormat(8), 1, (first, second, head), (4, 4))


def test_sums_beyond_floating_point():
    """16-bit activations times 2**31 still fit; more channels than there are would not."""
    network = wide_network((7, "power"), 16)
    assert network.tensors()["a"].format.width == 16
    second = network.convs[1]
    codes = np.ones((1, 8, 3, 3), np.int64)
    first = replace(network.convs[0], codes=np.ones((8, 1, 3, 3), np.int64))
    first = replace(first, weight_frac=np.zeros(8, np.int64), bias=np.zeros(8, np.int64))
    message = (
        r"^Layer second adds up 72 products of pow7 weights and u16\.0 activations, up to \d+, "
        r"but sums must stay within 2\*\*53; take narrower ones$"
    )
    with pytest.raises(FxhwError, match=message):
        replace(network, ops=(first, replace(second, codes=codes), network.head))


def test_head_sums_beyond_floating_point():
    network = wide_network((8,), 16)
    weight = WeightFormat(7, "power")
    codes, count = np.ones((128, 1, 3, 3), np.int64), np.zeros(128, np.int64)
    second = replace(network.convs[1], codes=codes, weight_frac=count, bias=count)
    head = replace(network.head, weight=weight, codes=np.ones(128, np.int64))
    with pytest.raises(FxhwError, match=r"^Layer head adds up 128 products of pow7 weights "):
        replace(network, ops=(network.convs[0], second, head))


def test_products_beyond_64_bits():
    wide_network((7, "power"), 8, np.array([65535]))
    message = (
        r"^Layer second has sums too wide for its multipliers \(Requantize sum must take at most "
        r"63 bits, not 70: .*\); take smaller multipliers or narrower weights$"
    )
    with pytest.raises(FxhwError, match=message):
        wide_network((7, "power"), 16, np.array([65535]))


def test_activations_too_wide():
    message = r"^Layer first has activations of format u17\.0, but at most 16 bits are supported$"
    with pytest.raises(FxhwError, match=message):
        wide_network((4,), 17)


def test_ternary_weights_outside_their_codes(network):
    codes = np.clip(conv(network, "enc1a").codes, -2, 1)
    codes[0, 0, 0, 0] = -2
    with pytest.raises(FxhwError, match=r"^Layer enc1a .* -2 \.\. \d outside its format ternary$"):
        changed(network, "enc1a", codes=codes, weight=WeightFormat(2, "ternary"))


def test_prepare():
    network = random_network(0, (2,), (8, 8), 4, 4, image_channels=3)
    image = random_image(np.random.default_rng(1), (11, 7), 3)
    assert network.prepare(image) is image
    zscore = replace(network, normalization="zscore")
    np.testing.assert_array_equal(zscore.prepare(image), normalize(image, "zscore"))
    assert zscore.image.contains(zscore.prepare(image))


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3)])
def test_prepare_an_image_of_wrong_shape(network, shape):
    with pytest.raises(FxhwError, match=r"^Image must have shape \(height, width, 1\), not \("):
        network.prepare(np.zeros(shape, np.uint8))


def test_normalization_wrong(network):
    with pytest.raises(FxhwError, match=r"^The normalization is 'minmax', but must be one of"):
        replace(network, normalization="minmax")


def test_normalization_of_narrow_images():
    network = random_network(0, (2,), (8, 8), 4, 4, ibits=4)
    with pytest.raises(FxhwError, match=r"^The image has format u4\.4, but zscore normalizes"):
        replace(network, normalization="zscore")
