"""An imported network against its model, run by qonnx in floating point."""

import warnings
from dataclasses import dataclass

import numpy as np

from ..errors import FxhwError
from ..golden import run_network
from ..graph import Network
from .load import ImportReport
from .model_file import ModelFile

__all__ = ["LayerDifference", "Measurement", "measure", "run_qonnx"]


@dataclass(frozen=True)
class LayerDifference:
    """Differences of one tensor, over all images.

    Parameters
    ----------
    tensor : its name in the network.
    largest : largest difference, in steps of its codes.
    share : share of codes that differ by half a step or more.
    """

    tensor: str
    largest: float
    share: float


@dataclass(frozen=True)
class Measurement:
    """Differences between a network and its model.

    Parameters
    ----------
    images : how many.
    layers : of every convolution, in order; each reads what the one before it made.
    mask_share : share of mask pixels that differ.
    """

    images: int
    layers: tuple[LayerDifference, ...]
    mask_share: float

    @property
    def largest(self) -> float:
        """Largest difference of a code, in steps."""
        return max((layer.largest for layer in self.layers), default=0.0)

    @property
    def share(self) -> float:
        """Share of differing codes in the layer that has most."""
        return max((layer.share for layer in self.layers), default=0.0)


def measure(network: Network, report: ImportReport, images: np.ndarray) -> Measurement:
    """Run ``network`` and its model on ``images`` and compare every convolution's codes.

    Parameters
    ----------
    images : (n, height, width, channels) image codes of the network's size, prepared already.

    Raises
    ------
    FxhwError if qonnx cannot run the model, or there is no image.
    ModuleNotFoundError without qonnx.
    """
    if not len(images):
        raise FxhwError("There is no image to compare the network and the model on")
    largest, differing, counts = {}, {}, {}
    wrong = pixels = 0
    logit = network.head.output
    for image in images:
        mask, codes = run_network(network, image, keep=True)
        model = run_qonnx(report.model, _model_input(report, image))
        for name, tensor in report.tensors.items():
            value = model[tensor][0].transpose(1, 2, 0).astype(np.float64)
            if name == logit:
                wrong += int(((value[:, :, 0] >= 0) != mask).sum())
                pixels += mask.size
                continue
            steps = np.abs(codes[name] - value / report.scales[name])
            largest[name] = max(largest.get(name, 0.0), float(steps.max()))
            differing[name] = differing.get(name, 0) + int((steps >= 0.5).sum())
            counts[name] = counts.get(name, 0) + steps.size
    layers = tuple(
        LayerDifference(name, _rounded(largest[name]), differing[name] / counts[name])
        for name in largest
    )
    return Measurement(len(images), layers, wrong / pixels)


def run_qonnx(model: ModelFile, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Every tensor of ``model`` for an input, by ``qonnx.core.onnx_exec``.

    Parameters
    ----------
    pixels : float32 (1, channels, height, width).

    Raises
    ------
    FxhwError if qonnx cannot run it.
    ModuleNotFoundError without qonnx.
    """
    with warnings.catch_warnings():
        # Its imports and runs warn of what is its own, not a user's.
        warnings.simplefilter("ignore")
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.core.onnx_exec import execute_onnx
        from qonnx.transformation.infer_shapes import InferShapes

        try:
            wrapper = ModelWrapper(_runnable(model, pixels.shape))
            if not wrapper.check_all_tensor_shapes_specified(fix_missing_init_shape=True):
                wrapper = wrapper.transform(InferShapes())
            return execute_onnx(wrapper, {model.input: pixels}, return_full_exec_context=True)
        # qonnx and onnxruntime raise bare Exceptions.
        except Exception as error:
            raise FxhwError(f"qonnx cannot run the model ({type(error).__name__}: {error})") from (
                error
            )


def _runnable(model: ModelFile, shape: tuple):
    """The model with nodes in order and an input of ``shape``."""
    import onnx

    proto = onnx.ModelProto()
    proto.CopyFrom(model.proto)
    graph = proto.graph
    order = {node.outputs: index for index, node in enumerate(model.nodes)}
    nodes = sorted(graph.node, key=lambda node: order[tuple(node.output)])
    del graph.node[:]
    graph.node.extend(nodes)
    if model.shape != tuple(shape):
        source = next(value for value in graph.input if value.name == model.input)
        for dim, length in zip(source.type.tensor_type.shape.dim, shape):
            dim.dim_value = length
        del graph.value_info[:]
        for value in graph.output:
            value.type.tensor_type.ClearField("shape")
    return proto


def _model_input(report: ImportReport, image: np.ndarray) -> np.ndarray:
    """What the model reads where the network reads codes: well within a code's range."""
    inside = {"FLOOR": 0.5, "CEIL": -0.5}.get(report.image_rounding, 0.0)
    values = (image.astype(np.float64) + inside) * report.image_step
    return values.transpose(2, 0, 1)[None].astype(np.float32)


def _rounded(steps: float) -> float:
    """``steps`` without the rounding error of float32, where they are whole."""
    return round(steps) if abs(steps - round(steps)) < 1e-3 else steps
