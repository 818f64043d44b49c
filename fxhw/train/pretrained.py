"""Networks of real numbers: new ones, and those that a run has left."""

from pathlib import Path

import numpy as np
import torch

from ..errors import FxhwError
from .fold import fold
from .recipe import Recipe
from .state import load_float
from .unet import FloatUNet

__all__ = ["float_weights", "load_float_network", "new_float_network"]


def new_float_network(recipe: Recipe, channels: int) -> FloatUNet:
    """The network a run starts from, for images of ``channels``; its seed decides the weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return FloatUNet(recipe.topology(channels), recipe.activation, recipe.dropout)


def load_float_network(path: Path, recipe: Recipe, channels: int) -> FloatUNet:
    """The network in a ``.float.pt`` file.

    Raises
    ------
    FxhwError if the file is not there, is damaged, or holds another network than ``recipe``'s.
    """
    network = new_float_network(recipe, channels)
    weights = load_float(path, recipe.float_json())
    try:
        network.load_state_dict(weights)
    except (RuntimeError, AttributeError, TypeError) as error:
        reason = str(error).strip().split("\n")[-1].strip()
        raise FxhwError(
            f"Float network {path} does not have this network's layers ({reason}); "
            "was it trained on images of other channels?"
        ) from error
    return network


def float_weights(
    path: Path, recipe: Recipe, channels: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Weights (out, in, 3, 3) of every convolution of such a file: as they are, and folded."""
    network = load_float_network(path, recipe, channels)
    folded = fold(network)
    return {
        name: (block[0].weight.detach().numpy(), folded[name][0].numpy())
        for name, block in network.blocks.items()
    }
