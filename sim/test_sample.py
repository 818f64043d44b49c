"""The committed sample in every simulator that is installed, with and without pauses."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from fxhw.cosim import Folder, Job, run_jobs
from tests.networks import random_image

SAMPLE = Path(__file__).parents[1] / "rtl_out" / "tiny_w4a4"

SIMULATORS = [
    "verilator",
    pytest.param(
        "icarus",
        marks=pytest.mark.skipif(
            shutil.which("iverilog") is None, reason="Icarus is not installed"
        ),
    ),
]


@pytest.mark.cosim
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_sample(simulator):
    folder = Folder.open(SAMPLE)
    size = folder.network.size
    jobs = [
        Job(folder.network, random_image(np.random.default_rng(seed), size), stalls, seed, logits)
        for seed, (stalls, logits) in enumerate([(False, False), (True, False), (True, True)])
    ]
    results = run_jobs(folder, jobs, simulator=simulator)
    assert [result.problems for result in results] == [[], [], []]
    estimate = results[0].plan.estimate.total
    assert abs(results[0].cycles - estimate) <= 0.01 * estimate
    assert all(result.cycles > estimate for result in results[1:])
