"""Weights, biases, shifts and multipliers packed into the words the hardware reads, in beats.

A weight word holds all weights of one cycle, ``[lane out][tap][lane in]``, the last index in the
lowest bits.  A requantization word holds the biases of the output lanes, then their shifts, then
their multipliers if the hardware has any.  Each word is split into beats of the parameter bus, the
last one zero-padded.

Lanes without a channel hold bit pattern 0 throughout.  To sign activations that is -1: their
weights cancel out as far as they can, and the bias makes up for the rest.
"""

import numpy as np

from ..errors import FxhwError
from ..fixed import FixedFormat, Requantize, WeightFormat, codes_to_int
from ..graph import Conv, Head
from .conv_spec import TAPS, ConvSpec
from .design import Design
from .program import Descriptor, Kind, split_beats

__all__ = ["conv_beats", "count_beats", "head_beats", "word_beats"]


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
    weights, excess = _pad_weights(spec, conv, [count for count, _ in sources], first, channels)
    groups_out, groups_in = weights.shape[:2]
    excess = excess + np.concatenate(
        [sum(spec.excess(weights[out, group]) for group in range(groups_in))
         for out in range(groups_out)]
    )  # fmt: skip
    for group_in in range(groups_in):
        codes = spec.encode_weights(weights[:, group_in])
        beats += _pack_words(codes.reshape(groups_out, -1), spec.weight.bits, bus_bits)
    in_format = sources[0][1]
    bias, shift, multiplier = _fit_requantize(spec, conv, in_format, first, channels, excess)
    requantize = spec.requantize
    record = [
        (bias & ((1 << requantize.bias.width) - 1), requantize.bias.width),
        (shift, requantize.shift_width),
        (multiplier, spec.mul_bits),
    ]
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
    fill = _fill(weight, design.activation, groups * lanes - head.in_channels)
    codes = np.concatenate([head.codes.astype(np.int64), fill])
    beats = []
    for word in weight.encode(codes).reshape(groups, lanes):
        word = codes_to_int(word, weight.bits)
        beats += split_beats(word, design.head_word_bits, design.bus_bits)
    value = head.bias - int(fill.sum()) * _unused_code(design.activation)
    if not bias.contains(value):
        raise FxhwError(
            f"Layer {head.name}: the bias is {value}, but it must lie in "
            f"{bias.min} .. {bias.max} to fit the accumulator; train the network again"
        )
    mask = (1 << bias.width) - 1
    return beats + split_beats(value & mask, bias.width, design.bus_bits)


def count_beats(design: Design, step: Descriptor) -> int:
    """Beats of a step's parameters: as many as :func:`conv_beats` or :func:`head_beats` give, or
    none if they are loaded already."""
    if step.keep:
        return 0
    weight, requantize = word_beats(design)[step.kind]
    return step.weight_words * weight + step.requantize_words * requantize


def word_beats(design: Design) -> dict[Kind, tuple[int, int]]:
    """Beats of a word of each of a step's two sections, by the step's kind."""
    bits = {
        Kind.FRONT: (design.front.weight_bits, design.front.requantize_bits),
        Kind.HEAD: (design.head_word_bits, design.head_bias.width),
        Kind.CONV: (design.main.weight_bits, design.main.requantize_bits),
    }
    return {
        kind: (-(-weight // design.bus_bits), -(-requantize // design.bus_bits))
        for kind, (weight, requantize) in bits.items()
    }


def _pack_words(codes: np.ndarray, bits: int, bus_bits: int) -> list[int]:
    """Beats of a word per row of ``codes``, unsigned codes of ``bits`` bits, the first lowest.

    The same as :func:`.program.split_beats` of each word, but for millions of weights.
    """
    spread = (codes[:, :, None] >> np.arange(bits, dtype=codes.dtype) & 1).astype(np.uint8)
    spread = spread.reshape(len(codes), -1)
    padding = -spread.shape[1] % bus_bits
    packed = np.packbits(np.pad(spread, ((0, 0), (0, padding))), axis=1, bitorder="little")
    beats = packed.tobytes()
    size = bus_bits // 8
    return [int.from_bytes(beats[at : at + size], "little") for at in range(0, len(beats), size)]


def _unused_code(activation: FixedFormat) -> int:
    """What a lane without a channel, which holds bit pattern 0, is to the array."""
    return int(activation.decode(0))


def _fill(weight: WeightFormat, activation: FixedFormat, count: int) -> np.ndarray:
    """int64 (count,): weights of lanes without a channel: 0, or +1 where there is no 0.

    Where such lanes are not 0 themselves, +1 and -1 in turn.
    """
    fill = np.full(count, weight.max if weight.binary else 0, np.int64)
    if _unused_code(activation):
        fill[1::2] *= -1
    return fill


def _pad_weights(
    spec: ConvSpec, conv: Conv, sources: list[int], first: int, channels: int
) -> tuple[np.ndarray, int]:
    """Weight codes padded to whole groups, and what the padded lanes add to every sum.

    Returns
    -------
    codes : (groups out, groups in, lanes out, TAPS, lanes in).
    excess : the sum of weight * code over all lanes without an input channel.
    """
    groups = [-(-count // spec.lanes_in) for count in sources]
    groups_out = -(-channels // spec.lanes_out)
    shape = (groups_out * spec.lanes_out, sum(groups) * spec.lanes_in, TAPS)
    exists = np.zeros(shape[1], bool)
    target = 0
    for count, size in zip(sources, groups):
        exists[target : target + count] = True
        target += size * spec.lanes_in
    fill = _fill(spec.weight, spec.activation, int((~exists).sum()) * TAPS).reshape(-1, TAPS)
    padded = np.full(shape, spec.weight.max if spec.weight.binary else 0, np.int64)
    padded[:, ~exists] = fill
    padded[:channels, exists] = conv.codes[first : first + channels].reshape(channels, -1, TAPS)
    padded = padded.reshape(groups_out, spec.lanes_out, sum(groups), spec.lanes_in, TAPS)
    return padded.transpose(0, 2, 1, 4, 3), int(fill.sum()) * _unused_code(spec.activation)


def _fit_requantize(
    spec: ConvSpec,
    conv: Conv,
    in_format: FixedFormat,
    first: int,
    channels: int,
    excess: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Biases, shifts and multipliers of the tile's channels; others give bit pattern 0.

    ``excess`` is what the accumulator of every lane has too much.
    """
    requantize, accumulator = spec.requantize, conv.accumulator(in_format)
    size = -(-channels // spec.lanes_out) * spec.lanes_out
    bias = np.full(size, _silent_bias(requantize), np.int64)
    shift = np.full(size, requantize.max_shift, np.int64)
    multiplier = np.ones(size, np.int64)
    if conv.multiplier is not None:
        multiplier[:channels] = conv.multiplier[first : first + channels]
    biases, shifts = conv.rounded_bias(in_format), conv.shift(in_format)
    for lane, channel in enumerate(range(first, first + channels)):
        factor, more = int(multiplier[lane]), int(excess[lane])
        wanted = int(biases[channel]) - more * factor, int(shifts[channel])
        if not 1 <= factor <= requantize.max_multiplier:
            raise FxhwError(
                f"Layer {conv.name}, channel {channel}: the multiplier is {factor}, but it must "
                f"lie in 1 .. {requantize.max_multiplier} to fit the requantizer"
            )
        fitted = requantize.fit(
            *wanted, accumulator.min + more, accumulator.max + more, factor
        )
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


def _silent_bias(requantize: Requantize) -> int:
    """The bias that, with the largest shift, makes every sum bit pattern 0."""
    if requantize.out.codes == "sign":
        return requantize.bias.min
    # The largest shift leaves the sign of the sum, which an unsigned result does not have.
    return requantize.bias.max if requantize.out.signed else 0
