"""Post-training quantization: from a network of real numbers to integers, without retraining.

Steps are powers of two of least squared error, per output channel for weights, per tensor for
activations.  Then each bias absorbs what rounding did to its channel's mean, and the head's keeps
the share of foreground.
"""

import copy
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..errors import FxhwError
from ..fixed import CODES_PER_DEVIATION
from ..graph import Network
from .calibrate import calibrate
from .export import export
from .floatfile import FloatNetwork
from .unet import IMAGE, QuantUNet, image_tensor

__all__ = ["InputScale", "LayerFigures", "Quantized", "quantize", "scale_input"]

_ZSCORE_MEAN = 128 / CODES_PER_DEVIATION
"""Value of a zscore image's middle code, in standard deviations."""

_LARGEST = 255 << 8
"""What activations of 8 bits reach at their least fraction bits, -8."""


@dataclass(frozen=True)
class InputScale:
    """What a module sees of a pixel of code x: ``(x * step - mean) / std``.

    Parameters
    ----------
    step : per code of an 8-bit image, ``1/255`` for values 0 to 1.
    mean, std : one per channel of the image, or one for all.
    """

    step: float
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    @classmethod
    def usual(cls, normalization: str) -> "InputScale":
        """Pixels from 0 to 1; of ``zscore``, standard deviations around 0."""
        if normalization == "zscore":
            return cls(1 / CODES_PER_DEVIATION, (_ZSCORE_MEAN,))
        return cls(1 / 255)


@dataclass(frozen=True)
class LayerFigures:
    """How well a layer came through.

    Parameters
    ----------
    name : of the layer.
    weight_db, output_db : signal to error in dB, of its weights and of what it computes on the
        calibration images, after all layers before it; infinite without error.
    shifts : least and largest of its output channels' shifts, None for the head.
    """

    name: str
    weight_db: float
    output_db: float
    shifts: tuple[int, int] | None


@dataclass(frozen=True)
class Quantized:
    """The integer network, the two torch networks it was made with, and the layers' figures.

    ``real`` computes with real numbers, ``quantized`` what ``network`` does.
    """

    network: Network
    layers: list[LayerFigures]
    real: QuantUNet
    quantized: QuantUNet


def scale_input(network: FloatNetwork, scale: InputScale) -> FloatNetwork:
    """``network`` for images of values code / 256 in place of those it was trained on.

    The first convolutions absorb the scale.  Step and std do so exactly; a mean does not at
    the image's border, where a convolution pads zeros: before, a zero was the mean, now it is
    code 0.

    Raises
    ------
    FxhwError if a number is unusable, or there are not as many as channels.
    """
    channels = network.topology.image_channels
    columns = []
    for name, values in (("mean", scale.mean), ("std", scale.std)):
        if len(values) not in (1, channels):
            raise FxhwError(
                f"--input-{name} has {len(values)} numbers, but the image {channels} channel(s)"
            )
        columns.append(torch.tensor(values, dtype=torch.float64).expand(channels))
    mean, std = columns
    numbers = torch.cat([mean, std, torch.tensor([scale.step], dtype=torch.float64)])
    if not (bool(torch.isfinite(numbers).all()) and bool((std > 0).all()) and scale.step > 0):
        raise FxhwError(
            f"The input's scale must be positive and finite, not step {scale.step:g}, "
            f"mean {scale.mean}, std {scale.std}"
        )
    factor = scale.step * (1 << IMAGE.frac) / std
    parameters = dict(network.parameters)
    for conv in network.topology.convs:
        if conv.input == "image":
            weight, bias = (tensor.double() for tensor in parameters[conv.name])
            lost = (weight.sum(dim=(2, 3)) * (mean / std)).sum(dim=1)
            weight = weight * factor.view(1, -1, 1, 1)
            parameters[conv.name] = weight.float(), (bias - lost).float()
    return replace(network, parameters=parameters)


def quantize(
    source: FloatNetwork,
    images: np.ndarray,
    size: tuple[int, int],
    *,
    wbits: int = 4,
    abits: int = 6,
    first_wbits: int = 8,
    last_wbits: int = 8,
    stored: np.ndarray | None = None,
    normalization: str = "none",
) -> Quantized:
    """Quantize ``source``, whose images have values code / 256.

    Parameters
    ----------
    images : uint8 (n, height, width, channels) codes, prepared, to calibrate on.
    size : (height, width) the network is meant for.
    wbits, abits, first_wbits, last_wbits : as of :class:`~fxhw.train.unet.QuantUNet`.
    stored : prepared codes kept with the network, for other widths later on.
    normalization : of the images, as in :class:`~fxhw.graph.Network`.

    Raises
    ------
    FxhwError if a bias or a shift does not fit, naming the layer and channel.
    """
    real = QuantUNet(
        source.topology, source.parameters, wbits, abits, first_wbits, last_wbits
    ).eval()
    quantized = copy.deepcopy(real)
    values = image_tensor(images)
    _check_range(real, values)
    calibrate(quantized, values)
    _fit_biases(quantized, size)
    _correct_biases(quantized, real, values)
    network = export(quantized, size, stored, normalization=normalization)
    return Quantized(network, _figures(network, real, quantized, values), real, quantized)


@torch.no_grad()
def _check_range(network: QuantUNet, values: torch.Tensor) -> None:
    """Refuse a network whose feature maps no format reaches."""
    for name, output in _outputs(network, values[:1]).items():
        peak = float(output.abs().max())
        if name != "head" and not peak <= _LARGEST:
            raise FxhwError(
                f"Layer {name} computes values up to {peak:.3g}, but activations reach "
                f"{_LARGEST} at most; was the network trained on images scaled otherwise "
                "(--input-scale)?"
            )


@torch.no_grad()
def _fit_biases(network: QuantUNet, size: tuple[int, int]) -> None:
    """Coarsen the weights of channels whose bias outweighs every sum that the layer can have.

    Batch-norm leaves channels that hardly vary: weights of next to nothing, whose best step makes
    a bias that is too wide for the hardware.
    """
    blocks = network.blocks
    exported = export(network, size)
    tensors = exported.tensors()
    for op in exported.convs:
        source = tensors[op.input].format
        limit = 1 << op.accumulator(source).width
        excess = np.ceil(np.log2(np.maximum(np.abs(op.rounded_bias(source)), 1) / limit)) + 1
        excess = np.where(np.abs(op.rounded_bias(source)) < limit, 0, np.maximum(excess, 1))
        frac = blocks[op.name].weight_frac - torch.from_numpy(excess.astype(np.int64))
        blocks[op.name].weights.exponent.copy_(frac)


@torch.no_grad()
def _correct_biases(network: QuantUNet, real: QuantUNet, values: torch.Tensor) -> None:
    """Bring every channel's mean before its activation back to that of ``real``.

    Layer by layer, so that what a layer sees is what its corrected predecessors give.  The head,
    whose sign alone counts, gets the share of foreground back in place of the mean: far from a
    contour logits are large, and their errors would move it.
    """
    wanted = {}

    def look(name, block, x):
        wanted[name] = block.accumulate(x).mean((0, 2, 3))

    def correct(name, block, x):
        block.bias -= block.accumulate(x).mean((0, 2, 3)) - wanted[name]

    background = int((_walk(real, values, look) < 0).sum())
    logits = _walk(network, values, correct).flatten().sort().values
    if 0 < background < len(logits):
        network.head.bias -= (logits[background - 1] + logits[background]) / 2


def _walk(network: QuantUNet, values: torch.Tensor, visit) -> torch.Tensor:
    """Logits of ``network``; ``visit(name, block, input)`` comes before each convolution."""
    hooks = [
        block.register_forward_pre_hook(
            lambda block, inputs, name=name: visit(name, block, inputs[0])
        )
        for name, block in network.blocks.items()
    ]
    logits = network(values)
    for hook in hooks:
        hook.remove()
    return logits


@torch.no_grad()
def _figures(network, real, quantized, values) -> list[LayerFigures]:
    """Figures of every layer, image by image."""
    signal, error = {}, {}
    for image in values.split(1):
        wanted, given = _outputs(real, image), _outputs(quantized, image)
        for name in wanted:
            signal[name] = signal.get(name, 0.0) + _power(wanted[name])
            error[name] = error.get(name, 0.0) + _power(given[name] - wanted[name])
    tensors = network.tensors()
    figures = []
    for op in (*network.convs, network.head):
        layer = real.head if op is network.head else real.blocks[op.name]
        weight = layer.weight.detach().double().numpy().reshape(op.codes.shape)
        frac = np.reshape(op.weight_frac, (-1,) + (1,) * (op.codes.ndim - 1))
        off = op.codes * 2.0**-frac - weight
        shifts = None
        if op is not network.head:
            shift = op.shift(tensors[op.input].format)
            shifts = int(shift.min()), int(shift.max())
        figures.append(
            LayerFigures(
                op.name,
                _decibel(float((weight**2).sum()), float((off**2).sum())),
                _decibel(signal[op.name], error[op.name]),
                shifts,
            )
        )
    return figures


def _outputs(network: QuantUNet, image: torch.Tensor) -> dict[str, torch.Tensor]:
    """What every layer computes, by name."""
    outputs = {}
    hooks = [
        block.register_forward_hook(lambda _, __, out, name=name: outputs.update({name: out}))
        for name, block in (*network.blocks.items(), ("head", network.head))
    ]
    network(image)
    for hook in hooks:
        hook.remove()
    return outputs


def _power(values: torch.Tensor) -> float:
    return float(values.double().square().sum())


def _decibel(signal: float, error: float) -> float:
    if not error:
        return float("inf")
    return 10 * float(np.log10(signal / error)) if signal else float("-inf")
