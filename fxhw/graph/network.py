"""A quantized network: operators in order, shapes and formats inferred, everything checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import FxhwError
from ..fixed import MAX_MUL_BITS, NORMALIZATIONS, FixedFormat, normalize
from .liveness import peak_bits
from .ops import Concat, Conv, Head, MaxPool, Upsample

__all__ = ["Network", "TensorInfo"]

_ACTIVATION_BITS = 16
"""Widest activations."""

_EXACT_BITS = 53
"""Largest sums: 64-bit floating point has this many bits of mantissa."""


@dataclass(frozen=True)
class TensorInfo:
    """Shape and format of a feature map."""

    name: str
    height: int
    width: int
    channels: int
    format: FixedFormat

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels

    @property
    def bits(self) -> int:
        """Bits of all codes, without padding."""
        return self.height * self.width * self.channels * self.format.width


@dataclass(frozen=True, eq=False)
class Network:
    """Operators in execution order over named feature maps, the first of which is ``image``.

    Parameters
    ----------
    image : format of the image's codes.
    image_channels : channels of the image.
    ops : operators; each reads tensors made before it, the last is the :class:`Head`.
    size : (height, width) the network is meant for; it runs at any size.
    calibration : uint8 (n, height, width, image_channels) image codes, prepared already, that
        post-training requantization looks at; may be empty, of any shape.
    meta : free text facts about the training (data set, dice, licence), JSON types only.
    normalization : what :meth:`prepare` does to an image: ``none`` or ``zscore``.

    Raises
    ------
    FxhwError if a shape, a format, a code, a shift or a name is wrong, naming the layer.
    """

    image: FixedFormat
    image_channels: int
    ops: tuple
    size: tuple[int, int]
    calibration: np.ndarray = field(
        default_factory=lambda: np.zeros((0, 1, 1, 1), np.uint8)
    )
    meta: Mapping = field(default_factory=dict)
    normalization: str = "none"

    def __post_init__(self):
        if self.image.signed or self.image.width > 8:
            raise FxhwError(
                f"The image has format {self.image.name}, but pixels must be unsigned, 1 to 8 bits"
            )
        if self.normalization not in NORMALIZATIONS:
            raise FxhwError(
                f"The normalization is {self.normalization!r}, but must be one of "
                f"{', '.join(NORMALIZATIONS)}"
            )
        if self.normalization == "zscore" and self.image.width != 8:
            raise FxhwError(
                f"The image has format {self.image.name}, but zscore normalizes 8-bit pixels; "
                "take --ibits 8 or no normalization"
            )
        self.tensors(self.size)
        if not self.calibration.size:
            empty = np.zeros((0, *self.size, self.image_channels), np.uint8)
            object.__setattr__(self, "calibration", empty)
        if self.calibration.ndim != 4 or self.calibration.shape[3] != self.image_channels:
            raise FxhwError(
                f"Calibration images have shape {self.calibration.shape}, "
                f"expected (n, height, width, {self.image_channels})"
            )
        if self.calibration.dtype != np.uint8 or not self.image.contains(self.calibration):
            raise FxhwError(
                f"Calibration images must be uint8 codes of at most {self.image.max}, "
                f"not {self.calibration.dtype} up to {self.calibration.max()}"
            )

    @property
    def convs(self) -> list[Conv]:
        """The 3x3 convolutions in order."""
        return [op for op in self.ops if isinstance(op, Conv)]

    @property
    def head(self) -> Head:
        """The last operator."""
        return self.ops[-1]

    def producer(self, tensor: str):
        """Operator that makes ``tensor``, or None for the image."""
        return next((op for op in self.ops if op.output == tensor), None)

    def resized(self, size: tuple[int, int]) -> "Network":
        """The same network meant for another (height, width)."""
        return replace(self, size=size)

    def check_image(self, image: np.ndarray) -> None:
        """Check the channels and codes of an image of any size.

        Raises
        ------
        FxhwError if ``image`` is not (height, width, channels) codes of the image format.
        """
        if image.ndim != 3 or image.shape[2] != self.image_channels:
            raise FxhwError(
                f"Image must have shape (height, width, {self.image_channels}), not {image.shape}"
            )
        if not self.image.contains(image):
            raise FxhwError(
                f"Image codes must lie in {self.image.min} .. {self.image.max}, "
                f"not {image.min()} .. {image.max()}"
            )

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Codes that the first layer reads, from those of a whole image: its normalization.

        Done once per image, before it is cut into tiles.

        Raises
        ------
        FxhwError as :meth:`check_image`.
        """
        image = np.asarray(image)
        self.check_image(image)
        return normalize(image, self.normalization)

    def tensors(self, size: tuple[int, int] | None = None) -> dict[str, TensorInfo]:
        """Shape and format of every tensor for an image of ``size`` (default: its own)."""
        height, width = size or self.size
        if height < 1 or width < 1:
            raise FxhwError(f"Image size must be at least 1x1, not {height}x{width}")
        image = TensorInfo("image", height, width, self.image_channels, self.image)
        tensors = {"image": image}
        if not self.ops or not isinstance(self.ops[-1], Head):
            raise FxhwError("The network must end in a 1x1 head")
        names = set()
        for op in self.ops:
            if op.name in names:
                raise FxhwError(f"Two layers are called {op.name}; names must differ")
            names.add(op.name)
            if isinstance(op, Head) and op is not self.ops[-1]:
                raise FxhwError(f"Layer {op.name} is a head, but not the last layer")
            inputs = op.inputs if isinstance(op, Concat) else (op.input,)
            for name in (*inputs, op.like) if isinstance(op, Upsample) else inputs:
                if name not in tensors:
                    raise FxhwError(f"Layer {op.name} reads tensor {name}, which nothing makes")
            if op.output in tensors:
                raise FxhwError(f"Layer {op.name} makes tensor {op.output}, which exists already")
            tensors[op.output] = _infer(op, [tensors[name] for name in inputs], tensors)
        return tensors

    def macs(self, size: tuple[int, int] | None = None) -> dict[str, int]:
        """Multiply-accumulates of every convolution and the head."""
        tensors = self.tensors(size)
        macs = {}
        for op in self.ops:
            if isinstance(op, Conv | Head):
                out = tensors[op.output]
                macs[op.name] = out.height * out.width * op.codes.size
        return macs

    def peak_activation_bits(self, size: tuple[int, int] | None = None) -> int:
        """Most bits of feature maps alive at once, an operator's inputs and result included.

        The image counts, the logits do not, and a concatenation is its two inputs.
        """
        bits = {name: tensor.bits for name, tensor in self.tensors(size).items()}
        del bits[self.ops[-1].output]
        return peak_bits(self.ops, bits)

    def stored_bits(self) -> dict[str, int]:
        """Exact bits of the parameters: ``weights``, ``biases`` and ``shifts``.

        Where a layer has multipliers, theirs too, as ``multipliers``.  All but the weights are
        counted at the width their layer needs.
        """
        tensors = self.tensors()
        bits = {"weights": 0, "biases": 0, "shifts": 0}
        for op in self.ops:
            if isinstance(op, Conv):
                requantize = op.requantize(tensors[op.input].format)
                bits["weights"] += op.codes.size * op.weight.bits
                bits["biases"] += op.out_channels * requantize.bias.width
                bits["shifts"] += op.out_channels * requantize.shift_width
                if op.multiplier is not None:
                    multipliers = op.out_channels * op.mul_bits
                    bits["multipliers"] = bits.get("multipliers", 0) + multipliers
            elif isinstance(op, Head):
                bits["weights"] += op.codes.size * op.weight.bits
                bits["biases"] += abs(op.bias).bit_length() + 1
        return bits


def _infer(op, inputs: list[TensorInfo], tensors: Mapping[str, TensorInfo]) -> TensorInfo:
    """Shape and format of ``op``'s result, after checking ``op`` against its inputs."""
    first = inputs[0]
    if isinstance(op, Conv):
        _check_conv(op, first)
        return TensorInfo(op.output, first.height, first.width, op.out_channels, op.out)
    if isinstance(op, MaxPool):
        height, width = -(-first.height // 2), -(-first.width // 2)
        return TensorInfo(op.output, height, width, first.channels, first.format)
    if isinstance(op, Upsample):
        like = tensors[op.like]
        if (-(-like.height // 2), -(-like.width // 2)) != (first.height, first.width):
            raise FxhwError(
                f"Layer {op.name} cannot upsample {first.height}x{first.width} "
                f"to {like.height}x{like.width}: that is not twice the size"
            )
        return TensorInfo(op.output, like.height, like.width, first.channels, first.format)
    if isinstance(op, Concat):
        second = inputs[1]
        if (first.height, first.width) != (second.height, second.width):
            raise FxhwError(
                f"Layer {op.name} concatenates {first.name} of {first.height}x{first.width} "
                f"with {second.name} of {second.height}x{second.width}: sizes must agree"
            )
        if first.format != second.format:
            raise FxhwError(
                f"Layer {op.name} concatenates {first.name} in format {first.format.name} "
                f"with {second.name} in {second.format.name}: formats must agree"
            )
        channels = first.channels + second.channels
        return TensorInfo(op.output, first.height, first.width, channels, first.format)
    _check_codes(op)
    if op.codes.shape != (first.channels,):
        raise FxhwError(
            f"Layer {op.name} has weights of shape {op.codes.shape}, "
            f"but its input {first.name} has {first.channels} channels"
        )
    _check_sums(op, first)
    _check_bias(op, "", op.bias)
    width = max(op.accumulator(first.format).width, abs(op.bias).bit_length() + 1) + 1
    frac = first.format.frac + op.weight_frac
    return TensorInfo(op.output, first.height, first.width, 1, FixedFormat(width, frac, True))


def _check_codes(op) -> None:
    if not op.weight.contains(op.codes):
        raise FxhwError(
            f"Layer {op.name} has weight codes {op.codes.min()} .. {op.codes.max()} "
            f"outside its format {op.weight.name}"
        )


def _check_conv(op: Conv, source: TensorInfo) -> None:
    if op.codes.ndim != 4 or op.codes.shape[1:] != (source.channels, 3, 3):
        raise FxhwError(
            f"Layer {op.name} has weights of shape {op.codes.shape}, but its input "
            f"{source.name} has {source.channels} channels: "
            f"expected (out_channels, {source.channels}, 3, 3)"
        )
    _check_codes(op)
    if op.out.width > _ACTIVATION_BITS:
        raise FxhwError(
            f"Layer {op.name} has activations of format {op.out.name}, "
            f"but at most {_ACTIVATION_BITS} bits are supported"
        )
    _check_sums(op, source)
    vectors = [("weight_frac", op.weight_frac), ("bias", op.bias)]
    if op.multiplier is not None:
        vectors.append(("multiplier", op.multiplier))
    for what, values in vectors:
        if values.shape != (op.out_channels,):
            raise FxhwError(
                f"Layer {op.name} has {what} of shape {values.shape}, "
                f"but {op.out_channels} output channels"
            )
    shift = op.shift(source.format)
    if shift.min() < 0:
        channel = int(shift.argmin())
        raise FxhwError(
            f"Layer {op.name}, channel {channel}: the shift is {shift[channel]}, below 0; "
            f"the result would need {-shift[channel]} more fraction bits than the accumulator has"
        )
    if shift.max() > 48:
        channel = int(shift.argmax())
        raise FxhwError(
            f"Layer {op.name}, channel {channel}: the shift is {shift[channel]}, above 48; "
            "the weights of this channel are too small to matter, retrain or zero them"
        )
    for channel, bias in enumerate(op.bias.tolist()):
        _check_bias(op, f", channel {channel}", bias)
    if op.multiplier is not None:
        _check_multiplier(op, source)


def _check_sums(op: Conv | Head, source: TensorInfo) -> None:
    """Check that floating point can add up ``op``'s products exactly."""
    accumulator = op.accumulator(source.format)
    largest = max(-accumulator.min, accumulator.max)
    if largest > 1 << _EXACT_BITS:
        raise FxhwError(
            f"Layer {op.name} adds up {accumulator.fan_in} products of {op.weight.name} weights "
            f"and {source.format.name} activations, up to {largest}, "
            f"but sums must stay within 2**{_EXACT_BITS}; take narrower ones"
        )


def _check_multiplier(op: Conv, source: TensorInfo) -> None:
    channel = int(np.argmax((op.multiplier < 1) | (op.multiplier >= 1 << MAX_MUL_BITS)))
    if not 1 <= op.multiplier[channel] < 1 << MAX_MUL_BITS:
        raise FxhwError(
            f"Layer {op.name}, channel {channel}: the multiplier is {op.multiplier[channel]}, "
            f"but must lie in 1 .. {(1 << MAX_MUL_BITS) - 1}"
        )
    try:
        op.requantize(source.format)
    except ValueError as error:
        raise FxhwError(
            f"Layer {op.name} has sums too wide for its multipliers ({error}); "
            "take smaller multipliers or narrower weights"
        ) from error


def _check_bias(op, where: str, bias: int) -> None:
    if abs(bias) >= 1 << 48:
        raise FxhwError(
            f"Layer {op.name}{where}: the bias is {bias}, "
            f"but its magnitude must stay below 2**48 = {1 << 48}"
        )
