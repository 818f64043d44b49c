"""Run time of activations on this machine."""

import statistics
import time

import torch

__all__ = ["activation_times"]

_RUNS = 60


def activation_times(shape) -> dict[str, float]:
    """Median microseconds of ``relu``, ``tanh`` and ``hard_tanh`` on a tensor, one thread."""
    functions = {
        "relu": torch.relu,
        "tanh": torch.tanh,
        "hard_tanh": torch.nn.functional.hardtanh,
    }
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return {name: _median(function, x) for name, function in functions.items()}
    finally:
        torch.set_num_threads(before)


def _median(function, x) -> float:
    seconds = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        function(x)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1e6
