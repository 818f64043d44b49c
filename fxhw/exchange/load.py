"""A QONNX model as a network, with a report of how closely it follows."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import FxhwError
from ..graph import Network
from .draft import Draft
from .model_file import ModelFile, read_model
from .resolve import LayerImport, resolve
from .walk import walk

__all__ = ["ImportReport", "import_qonnx"]

_DAMAGE = (
    ArithmeticError, AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError
)
"""What a model of the wrong shape makes the reader raise."""


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Parameters
    ----------
    model : the file that was read.
    layers : of every convolution, how closely its integers follow.
    notes : what is not as in the model, one sentence each.
    scales : real value of one step of every convolution's result and of the logit.
    tensors : the model's names of those tensors.
    image_step : the model's input per image code.
    image_rounding : how the model rounds its input to codes, None if it does not.
    """

    model: ModelFile
    layers: tuple[LayerImport, ...]
    notes: tuple[str, ...]
    scales: dict[str, float]
    tensors: dict[str, str]
    image_step: float
    image_rounding: str | None

    @property
    def exact(self) -> bool:
        """Whether the network has the model's numbers, not near ones."""
        return not self.notes and all(layer.scale_error == 0 for layer in self.layers)

    @property
    def worst(self) -> LayerImport | None:
        """The layer of the largest scale error."""
        return max(self.layers, key=lambda layer: layer.scale_error, default=None)


def import_qonnx(
    path: str | os.PathLike,
    size: tuple[int, int] | None = None,
    input_scale: float | None = None,
    mul_bits: int = 16,
    normalization: str | None = None,
    calibration: np.ndarray | None = None,
) -> tuple[Network, ImportReport]:
    """Read a QONNX model.

    Parameters
    ----------
    size : (height, width) the network is meant for (default: the model's).
    input_scale : the model's input per step of an 8-bit pixel, where it has no quantizer.
    mul_bits : widest multiplier, 0 to 16; without, scales become powers of two.
    normalization : of the image before the model (default: as exported, or none).
    calibration : uint8 (n, height, width, channels) image codes to keep with the network.

    Raises
    ------
    FxhwError naming the file, and the node that is unsound or not supported.
    """
    path = Path(path)
    if not 0 <= mul_bits <= 16:
        raise FxhwError(f"Multipliers have 0 to 16 bits, not {mul_bits}")
    if input_scale is not None and not 0 < input_scale < float("inf"):
        raise FxhwError(f"The input scale must be positive, not {input_scale}")
    try:
        model = read_model(path)
        draft = walk(model, size, input_scale)
        resolved = resolve(draft, mul_bits, model.facts)
        network = Network(
            resolved.image,
            draft.image_shape[0],
            resolved.ops,
            draft.image_shape[1:],
            normalization=normalization or model.facts.get("normalization", "none"),
            meta=model.facts.get("meta", {"source": path.name}),
        )
        _check_shapes(network, draft, resolved.tensors)
        if size is not None:
            network = network.resized(tuple(size))
        if calibration is not None:
            network = Network(**{**vars(network), "calibration": calibration})
    except FxhwError as error:
        raise FxhwError(f"Model {path}: {error}") from error
    except _DAMAGE as error:
        raise FxhwError(f"Model {path} is damaged ({type(error).__name__}: {error})") from error
    quantized = draft.image.rounding if _input_quantized(model) else None
    step = draft.image.scale / draft.image_factor
    report = ImportReport(
        model, resolved.layers, resolved.notes, resolved.scales, resolved.tensors, step, quantized
    )
    return network, report


def _check_shapes(network: Network, draft: Draft, tensors: dict[str, str]) -> None:
    """Check that the network's tensors have the shapes that the model's have."""
    shapes = {draft.tensors[name]: shape for name, shape in draft.shapes.items()
              if name in draft.tensors}
    for name, info in network.tensors().items():
        wanted = shapes.get(tensors.get(name))
        if wanted is not None and (info.channels, info.height, info.width) != wanted:
            raise FxhwError(
                f"Tensor {tensors[name]} has shape {wanted}, in the network "
                f"{(info.channels, info.height, info.width)}"
            )


def _input_quantized(model: ModelFile) -> bool:
    """Whether a quantizer stands behind the model's input."""
    names = {model.input}
    for node in model.nodes:
        if node.kind in ("Quant", "IntQuant") and node.inputs[0] in names:
            return True
        if node.kind in ("Cast", "Div", "Identity", "Mul") and names & set(node.inputs):
            names.update(node.outputs)
    return False
