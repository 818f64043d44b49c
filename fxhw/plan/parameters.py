"""Weights, biases, shifts and multipliers packed into the words the hardware reads, in beats.

A weight word holds all weights of one cycle, ``[lane out][tap][lane in]``, the last index in the
lowest bits.  A requantization word holds the biases of the output lanes, then their shifts, then
their multipliers if the hardware has any.  Each word is split into beats of the parameter bus, the
last one zero-padded.
"""

import numpy as np

from ..errors import FxhwError
from ..fixed import FixedFormat, codes_to_int
from ..graph import Conv, Head
from .conv_spec import TAPS, ConvSpec
from .design import Design
from .program import split_beats

__all__ = ["conv_beats", "head_beats"]


def conv_beats(
    spec: ConvSpec,
    bus_bits: int,
    conv: Conv,
    sources: list[tuple[int, FixedFormat]],
    first: int,
    channels: int,
) -> list[int]:
    """Beats of output channels ``first`` .. ``first + channels`` of ``conv``.

    Parameters
    ----------
    sources : (channels, format) of each feature map the input is concatenated from; each starts
        at a group of its own, so its last group is padded.

    Raises
    ------
    FxhwError if a bias, shift or multiplier does not fit the hardware, naming layer and channel.
    """
    beats = []
    weights = _pad_weights(spec, conv, [count for count, _ in sources], first, channels)
    groups_out, groups_in = weights.shape[:2]
    for group_in in range(groups_in):
        for group_out in range(groups_out):
            codes = spec.weight.encode(weights[group_out, group_in])
            word = codes_to_int(codes.reshape(-1), spec.weight.bits)
            beats += split_beats(word, spec.weight_bits, bus_bits)
    bias, shift, multiplier = _fit_requantize(spec, conv, sources[0][1], first, channels)
    requantize = spec.requantize
    record = [
        (bias & ((1 << requantize.bias.width) - 1), requantize.bias.width),
        (shift, requantize.shift_width),
    ]
    if spec.mul_bits:
        record.append((multiplier, spec.mul_bits))
    for lane in range(0, bias.size, spec.lanes_out):
        word = position = 0
        for values, bits in record:
            word |= codes_to_int(values[lane : lane + spec.lanes_out], bits) << position
            position += spec.lanes_out * bits
        beats += split_beats(word, spec.requantize_bits, bus_bits)
    return beats


def head_beats(design: Design, head: Head) -> list[int]:
    """Beats of the head: a weight word per group of ``pout`` channels, then the bias.

    Raises
    ------
    FxhwError if the bias does not fit.
    """
    lanes, weight, bias = design.pout, design.head_weight, design.head_bias
    groups = -(-head.in_channels // lanes)
    codes = np.full(groups * lanes, _padding(weight), np.int64)
    codes[: head.in_channels] = head.codes
    beats = []
    for word in weight.encode(codes).reshape(groups, lanes):
        word = codes_to_int(word, weight.bits)
        beats += split_beats(word, design.head_word_bits, design.bus_bits)
    if not bias.contains(head.bias):
        raise FxhwError(
            f"Layer {head.name}: the bias is {head.bias}, but it must lie in "
            f"{bias.min} .. {bias.max} to fit the accumulator; train the network again"
        )
    mask = (1 << bias.width) - 1
    return beats + split_beats(head.bias & mask, bias.width, design.bus_bits)


def _padding(weight) -> int:
    """Code of the weights of channels that do not exist; their activations are zero."""
    return weight.max if weight.binary else 0


def _pad_weights(
    spec: ConvSpec, conv: Conv, sources: list[int], first: int, channels: int
) -> np.ndarray:
    """(groups out, groups in, lanes out, TAPS, lanes in) weight codes, padded to whole groups."""
    groups = [-(-count // spec.lanes_in) for count in sources]
    groups_out = -(-channels // spec.lanes_out)
    padded = np.full(
        (groups_out * spec.lanes_out, sum(groups) * spec.lanes_in, TAPS),
        _padding(spec.weight),
        np.int64,
    )
    codes = conv.codes[first : first + channels].reshape(channels, -1, TAPS)
    source = target = 0
    for count, size in zip(sources, groups):
        padded[:channels, target : target + count] = codes[:, source : source + count]
        source, target = source + count, target + size * spec.lanes_in
    padded = padded.reshape(groups_out, spec.lanes_out, sum(groups), spec.lanes_in, TAPS)
    return padded.transpose(0, 2, 1, 4, 3)


def _fit_requantize(
    spec: ConvSpec, conv: Conv, in_format: FixedFormat, first: int, channels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Biases, shifts and multipliers of the tile's channels, padded channels giving zero."""
    requantize, accumulator = spec.requantize, conv.accumulator(in_format)
    size = -(-channels // spec.lanes_out) * spec.lanes_out
    bias = np.zeros(size, np.int64)
    # The largest shift leaves the sign of the sum, which the clamp turns into zero.
    shift = np.full(size, requantize.max_shift, np.int64)
    multiplier = np.ones(size, np.int64)
    if conv.multiplier is not None:
        multiplier[:channels] = conv.multiplier[first : first + channels]
    biases, shifts = conv.rounded_bias(in_format), conv.shift(in_format)
    for lane, channel in enumerate(range(first, first + channels)):
        wanted = int(biases[channel]), int(shifts[channel])
        factor = int(multiplier[lane])
        if not 1 <= factor <= requantize.max_multiplier:
            raise FxhwError(
                f"Layer {conv.name}, channel {channel}: the multiplier is {factor}, but it must "
                f"lie in 1 .. {requantize.max_multiplier} to fit the requantizer"
            )
        fitted = requantize.fit(*wanted, accumulator.min, accumulator.max, factor)
        if fitted is None:
            beside = f"an accumulator of {requantize.acc_width} bits"
            advice = "train this channel again"
            if factor > 1:
                beside += f" and multipliers of {requantize.mul_bits}"
                advice = "take a smaller multiplier for this channel"
            raise FxhwError(
                f"Layer {conv.name}, channel {channel}: bias {wanted[0]} and shift {wanted[1]} "
                f"must fit {requantize.bias.width} signed bits and 0 .. {requantize.max_shift}, "
                f"beside {beside}; {advice}"
            )
        bias[lane], shift[lane] = fitted
    return bias, shift, multiplier
