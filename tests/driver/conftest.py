"""Built benches, once per session."""

import functools
import random
from pathlib import Path

import pytest

from fxhw import driver
from fxhw.cosim.compiled import build_compiled
from tests.driver.inverter import write_folder

# A second, and so a time limit, is only 100,000 cycles.
Simulation = functools.partial(driver.Simulation, clock_mhz=0.1)

SAMPLE = Path(__file__).parents[2] / "rtl_out" / "tiny_w4a4"


@pytest.fixture(scope="session")
def sample_bench(cache):
    """The committed sample, with on-chip memory."""
    return build_compiled(SAMPLE, cache, optimize=False)


@pytest.fixture(scope="session")
def inverter_bench(cache):
    """The test design with external memory, 64 bits wide; a page and more of image."""
    return build_compiled(write_folder(cache / "inverter", (73, 61)), cache, optimize=False)


@pytest.fixture
def picture():
    """An image for the inverter, and its mask."""
    image = random.Random(7).randbytes(73 * 61)
    return image, bytes(255 - code for code in image)
