"""Dice on whole images: of a torch network, and of the golden model for the exported one."""

import copy

import numpy as np
import torch

from ..dice import Scores, score
from ..golden import run_network, run_tiled
from ..graph import Network
from .quantizers.straight import power_of_two
from .unet import QuantUNet, image_tensor

__all__ = ["evaluate", "evaluate_golden", "exact_logits", "predict"]


@torch.no_grad()
def predict(network, image: np.ndarray) -> np.ndarray:
    """Mask (bool) of a prepared uint8 (height, width, channels) image by torch, float32."""
    network.eval()
    device = next(network.parameters()).device
    return (network(image_tensor(image[None], device))[0, 0] >= 0).cpu().numpy()


@torch.no_grad()
def exact_logits(network: QuantUNet, image: np.ndarray) -> np.ndarray:
    """Logit codes (int64, height x width) of a calibrated network, computed in float64.

    They equal those of the golden model for the exported network; ``image`` is prepared.
    """
    device = next(network.parameters()).device
    double = copy.deepcopy(network).double().eval()
    logits = double(image_tensor(image[None], device, torch.float64))[0, 0]
    frac = network.head.in_frac + network.head.weight_frac
    return (logits * power_of_two(frac, logits)).to(torch.int64).cpu().numpy()


def evaluate(network, samples) -> Scores:
    """Dice of a torch network over prepared ``samples``."""
    return _score(samples, lambda image: predict(network, image))


def evaluate_golden(network: Network, samples) -> dict[str, Scores]:
    """:func:`evaluate` by the golden model: ``whole`` images, and ``tiled`` at its own size."""
    return {
        "whole": _score(samples, lambda image: run_network(network, image)[0]),
        "tiled": _score(samples, lambda image: run_tiled(network, image)),
    }


def _score(samples, segment) -> Scores:
    return score(
        (segment(sample.image) for sample in samples),
        (sample.label for sample in samples),
        (sample.group for sample in samples),
    )
