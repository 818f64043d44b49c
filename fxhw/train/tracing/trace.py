"""Runs a module under the recorder, and checks the recording against the module."""

import torch
from torch import nn

from ...errors import FxhwError
from ..unet import QuantUNet
from .operators import OPERATORS
from .recorder import SUPPORTED, Parameters, Recorder
from .topology import TracedTopology
from .values import OddSize

__all__ = ["trace"]

_SIZES = ((64, 96), (128, 192), (256, 384), (512, 768))
"""(height, width) of the image a module runs on: the first that halves without a rest."""


def trace(
    module: nn.Module, image_channels: int | None = None
) -> tuple[TracedTopology, Parameters]:
    """Layers and folded parameters of ``module``, which is put in evaluation mode.

    Parameters
    ----------
    image_channels : channels of the image (default: those of the first convolution).

    Raises
    ------
    FxhwError naming the layer and the operator, if the module is not a network of the supported
    operators or fails to run.
    """
    channels = image_channels or _image_channels(module)
    module.eval()
    for size in _SIZES:
        generator = torch.Generator().manual_seed(0)
        image = torch.rand((2, channels, *size), generator=generator)
        try:
            recorder = _run(module, image)
        except OddSize:
            continue
        topology, parameters = recorder.result()
        _check(topology, parameters, image, recorder.logits)
        return topology, parameters
    raise FxhwError(
        f"The module halves an image of {_SIZES[-1][0]}x{_SIZES[-1][1]} more often than it can "
        "be halved; at most 8 poolings are supported"
    )


def _image_channels(module: nn.Module) -> int:
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            return layer.in_channels
    for tensor in module.parameters():
        if tensor.ndim == 4:
            return tensor.shape[1]
    raise FxhwError(f"Module {type(module).__name__} has no convolution; supported are {SUPPORTED}")


@torch.no_grad()
def _run(module: nn.Module, image: torch.Tensor) -> Recorder:
    """Run ``module`` on ``image`` under a recorder."""
    recorder = Recorder(image, OPERATORS)
    hooks = []
    for name, part in module.named_modules():
        if name:
            hooks.append(part.register_forward_pre_hook(recorder.enter(name)))
            hooks.append(part.register_forward_hook(recorder.leave))
    try:
        with recorder:
            output = module(image)
        recorder.finish(output)
    except (FxhwError, OddSize):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise FxhwError(
            f"Module {type(module).__name__} fails on an image of {image.shape[1]} channel(s), "
            f"{image.shape[2]}x{image.shape[3]} ({type(error).__name__}: {reason})"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    return recorder


def _check(topology, parameters, image, expected) -> None:
    """Refuse a recording that computes something else than the module did."""
    with torch.no_grad():
        result = QuantUNet(topology, parameters, 8, 8)(image)
    error, largest = (float(x.abs().max()) for x in (result - expected, expected))
    if not error <= 1e-3 * max(largest, 1e-3):
        raise FxhwError(
            f"The module does something that was not recorded: its logits reach {largest:.3g}, "
            f"and the recorded layers are off by {error:.3g}; keep to {SUPPORTED}"
        )
