"""Descriptors and parameters: every bit where the format says."""

from dataclasses import replace

import numpy as np
import pytest

from fxhw.errors import FxhwError
from fxhw.fixed import int_to_codes
from fxhw.plan import compile_network, design_for
from fxhw.plan.parameters import conv_beats, head_beats
from fxhw.plan.program import CHECK, FIELDS, Descriptor, Kernel, Kind, checksum
from fxhw.plan.registers import ERROR_TEXT, REGISTERS, ErrorCode
from tests.networks import random_network


def decode(bits):
    values, position = {}, 0
    for name, width in FIELDS:
        values[name] = (bits >> position) & ((1 << width) - 1)
        position += width
    return values


def test_no_field_crosses_a_word():
    position = 0
    for name, width in FIELDS:
        assert position // 32 == (position + width - 1) // 32, name
        position += width


def test_descriptor_round_trip():
    descriptor = Descriptor(
        kind=Kind.CONV, width=640, height=3, groups_a=5, last=1, base_b=0xDEADBEEF, up_b=1
    )
    bits = descriptor.encode()
    values = decode(bits)
    assert checksum(bits) == CHECK
    assert {name: values[name] for name in vars(descriptor)} == {
        name: int(value) for name, value in vars(descriptor).items()
    }


def test_descriptor_overflow():
    with pytest.raises(OverflowError, match="width must fit 16 bits, not 65536"):
        Descriptor(kind=Kind.CONV, width=1 << 16).encode()


def test_program_starts_the_memory_and_points_at_its_parameters():
    network = random_network(0, (3, 5), (8, 12), 4, 4)
    plan = compile_network(network, design_for(network, 2, 3))
    per = 512 // plan.design.bus_bits
    addresses = []
    for index, descriptor in enumerate(plan.descriptors):
        beats = plan.beats[index * per : (index + 1) * per]
        bits = sum(beat << (plan.design.bus_bits * n) for n, beat in enumerate(beats))
        assert bits == descriptor.encode()
        addresses.append(descriptor.load_address)
    assert addresses[0] == per * len(plan.descriptors)
    assert addresses == sorted(addresses)
    assert len(plan.beats) == plan.design.parameter_beats
    assert all(0 <= beat < 1 << plan.design.bus_bits for beat in plan.beats)


def test_weight_words_hold_the_codes_in_order():
    network = random_network(1, (3,), (8, 8), 4, 6)
    design = design_for(network, 2, 2)
    conv = network.convs[1]
    spec = design.main
    beats = conv_beats(spec, 64, conv, [(3, network.convs[0].out)], 0, 3)
    per_word = -(-spec.weight_bits // 64)
    for group_in in range(2):
        for group_out in range(2):
            first = (group_in * 2 + group_out) * per_word
            word = sum(b << (64 * n) for n, b in enumerate(beats[first : first + per_word]))
            codes = spec.weight.decode(int_to_codes(word, 4, 36)).reshape(2, 9, 2)
            for lane_out in range(2):
                for lane_in in range(2):
                    out, channel = 2 * group_out + lane_out, 2 * group_in + lane_in
                    exists = out < 3 and channel < 3
                    expected = conv.codes[out, channel].reshape(9) if exists else np.zeros(9)
                    assert codes[lane_out, :, lane_in].tolist() == expected.tolist()


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_lanes_without_a_channel_cancel_out(channels):
    """To signs they are -1: half of them get each weight, and the bias takes up an odd one."""
    network = random_network(3, (channels,), (8, 8), 1, 1, activations="sign")
    design = design_for(network, 4, 2)
    conv = network.convs[1]
    spec, source = design.main, network.convs[0].out
    beats = conv_beats(spec, 64, conv, [(channels, source)], 0, channels)
    groups_in, groups_out = -(-channels // 4), -(-channels // 2)
    per_word = -(-spec.weight_bits // 64)
    words = [
        sum(b << (64 * n) for n, b in enumerate(beats[first : first + per_word]))
        for first in range(0, groups_in * groups_out * per_word, per_word)
    ]
    codes = np.array([spec.weight.decode(int_to_codes(word, 1, 72)) for word in words])
    codes = codes.reshape(groups_in, groups_out, 2, 9, 4).transpose(1, 2, 0, 4, 3)
    codes = codes.reshape(2 * groups_out, 4 * groups_in, 9)
    unused = codes[:channels, channels:].reshape(channels, -1).astype(int)
    assert (codes[:channels, :channels] == conv.codes.reshape(channels, channels, 9)).all()
    assert set(unused.sum(axis=1).tolist()) == {unused.shape[1] % 2}
    biases = []
    rest = beats[len(words) * per_word :]
    per_word = -(-spec.requantize_bits // 64)
    for first in range(0, len(rest), per_word):
        word = sum(b << (64 * n) for n, b in enumerate(rest[first : first + per_word]))
        biases += lanes(word, spec)[0]
    assert biases[:channels] == (conv.bias + unused.sum(axis=1)).tolist()
    assert biases[channels:] == [spec.requantize.bias.min] * (channels % 2)


@pytest.mark.parametrize(
    ("activations", "abits"), [("signed", 4), ("ternary", 2), ("sign", 1), ("unsigned", 4)]
)
def test_output_lanes_without_a_channel_give_pattern_0(activations, abits):
    network = random_network(3, (3,), (8, 8), 1, abits, activations=activations)
    spec = design_for(network, 2, 2).main
    beats = conv_beats(spec, 64, network.convs[1], [(3, network.convs[0].out)], 0, 3)
    per_word = -(-spec.requantize_bits // 64)
    word = sum(b << (64 * n) for n, b in enumerate(beats[-per_word:]))
    biases, shifts, _ = lanes(word, spec)
    shift = shifts[1] if shifts else 0
    extremes = np.array([spec.accumulator.min, 0, spec.accumulator.max])
    codes = spec.requantize.compute(extremes, biases[1], shift)
    assert not spec.out.encode(codes).any()


def test_head_beats():
    network = random_network(2, (3,), (8, 8), 4, 6)
    design = design_for(network, 2, 2)
    beats = head_beats(design, network.head)
    codes = [
        design.head_weight.decode(int_to_codes(beat, 8, 2)).tolist() for beat in beats[:2]
    ]
    assert codes == [network.head.codes[:2].tolist(), [int(network.head.codes[2]), 0]]
    width = design.head_bias.width
    bias = sum(beat << (64 * n) for n, beat in enumerate(beats[2:]))
    assert (bias ^ (1 << (width - 1))) - (1 << (width - 1)) == network.head.bias


def lanes(word, spec):
    """(biases, shifts, multipliers) of a requantization word."""
    plan, fields = spec.requantize, []
    for bits in (plan.bias.width, plan.shift_width, plan.mul_bits):
        size = spec.lanes_out * bits
        fields.append(int_to_codes(word & ((1 << size) - 1), bits, spec.lanes_out).tolist())
        word >>= size
    assert word == 0
    sign = 1 << (plan.bias.width - 1)
    fields[0] = [(bias ^ sign) - sign for bias in fields[0]]
    return fields


@pytest.mark.parametrize("multipliers", [True, False])
def test_requantization_words_hold_biases_shifts_and_multipliers(multipliers):
    network = random_network(4, (3,), (8, 8), 4, 6, multipliers=multipliers)
    design = design_for(network, 2, 2, mul_bits=5)
    conv, source = network.convs[1], network.convs[0].out
    spec = design.main
    assert spec.mul_bits == (max(c.mul_bits for c in network.convs) if multipliers else 5)
    beats = conv_beats(spec, 64, conv, [(3, source)], 0, 3)
    per_word = -(-spec.requantize_bits // 64)
    factors = conv.multiplier.tolist() if multipliers else [1, 1, 1]
    bias, shift = conv.rounded_bias(source).tolist(), conv.shift(source).tolist()
    for group, (first, last) in enumerate([(0, 2), (2, 3)]):
        begin = len(beats) + (group - 2) * per_word
        word = sum(b << (64 * n) for n, b in enumerate(beats[begin : begin + per_word]))
        missing = 2 - (last - first)
        assert lanes(word, spec) == [
            bias[first:last] + [0] * missing,
            shift[first:last] + [spec.requantize.max_shift] * missing,
            factors[first:last] + [1] * missing,
        ]


def test_programs_with_multipliers_name_a_kernel_that_others_refuse():
    network = random_network(4, (3,), (8, 8), 4, 6, multipliers=True)
    plan = compile_network(network, design_for(network, 2, 2))
    assert {d.kernel for d in plan.descriptors} == {Kernel.CONV3X3_MULTIPLIER}
    assert {d.multiplier_bits for d in plan.descriptors} == {plan.design.mul_bits}


def test_a_multiplier_that_does_not_fit_the_engine_is_refused_by_layer_and_channel():
    network = random_network(4, (3,), (8, 8), 4, 6, multipliers=True)
    conv = network.convs[1]
    conv.multiplier[:] = 1, 8, 1
    spec = replace(design_for(network, 2, 2).main, mul_bits=3)
    with pytest.raises(FxhwError, match=r"enc0b, channel 1: .* is 8, but it must lie in 1 \.\. 7"):
        conv_beats(spec, 64, conv, [(3, network.convs[0].out)], 0, 3)


def test_a_multiplied_bias_that_does_not_fit():
    network = random_network(4, (3,), (8, 8), 4, 6, multipliers=True)
    conv, source = network.convs[1], network.convs[0].out
    spec = design_for(network, 2, 2).main
    # Beyond the largest sum by so much that the result is a constant: replaced.
    conv.bias[0] = 1 << 44
    conv.multiplier[0] = 3
    conv_beats(spec, 64, conv, [(3, source)], 0, 3)
    # At the threshold between 0 and 1: refused.
    conv.bias[0] = (1 << 38) - 500
    conv.weight_frac[0] += 39 - conv.shift(source)[0]
    with pytest.raises(FxhwError, match=r"channel 0: .* and multipliers of \d+; take a smaller"):
        conv_beats(spec, 64, conv, [(3, source)], 0, 3)


def test_a_bias_that_does_not_fit_is_refused_by_layer_and_channel():
    network = random_network(0, (2,), (8, 8), 4, 4)
    conv = network.convs[2]
    # Right at the threshold between 0 and 1, so that no other pair gives the same results.
    conv.bias[1] = (1 << 19) - 500
    conv.weight_frac[1] += 20 - conv.shift(network.tensors()[conv.input].format)[1]
    with pytest.raises(FxhwError, match=rf"Layer {conv.name}, channel 1: bias \d+ and shift"):
        compile_network(network, design_for(network, 2, 2))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"size": (8, 16)}, r"image needs 16 width, the design has at most 8"),
        ({"channels": (2, 9)}, "Layer dec1a needs 10 weight words .* may hold 8"),
        ({"channels": (3, 3)}, "enc0a needs 2 output groups, the design has at most 1"),
        ({"wbits": 3}, "weights have 3 bits, the design's 4"),
        ({"abits": 5}, "activations have 5 bits, the design's 4"),
        ({"activations": "signed"}, "activations are signed, the design's unsigned"),
        ({"weights": "power"}, "weights are power, the design's fixed"),
        ({"image_channels": 3}, "image needs 3 channels"),
    ],
)
def test_a_network_that_does_not_fit_the_design_is_refused(change, match):
    base = {"channels": (2, 3), "size": (8, 8), "wbits": 4, "abits": 4}
    design = design_for(random_network(0, **base), 2, 2)
    with pytest.raises(FxhwError, match=match):
        compile_network(random_network(0, **{**base, **change}), design)


def test_registers_are_distinct_words_and_errors_have_texts():
    offsets = [register.offset for register in REGISTERS.values()]
    assert offsets == sorted(set(offsets))
    assert all(offset % 4 == 0 for offset in offsets)
    assert offsets[-1] < 256
    assert set(ERROR_TEXT) == set(ErrorCode)
