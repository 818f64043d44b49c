"""Random accelerators and the networks that run on them, for co-simulation."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from fxhw.cosim import Job, run_jobs
from fxhw.emit.bundle import write_bundle
from fxhw.errors import FxhwError
from fxhw.plan import compile_network, design_for
from tests.networks import random_network

__all__ = ["Case", "cases", "check_case", "generate"]


@dataclass(frozen=True)
class Case:
    """A network to generate an accelerator for, and how.

    ``others`` are (channels, size) of networks to load as programs on the same accelerator.
    """

    seed: int
    channels: tuple[int, ...]
    size: tuple[int, int]
    widths: dict
    pin: int = 2
    pout: int = 2
    weight_words: int | None = None
    bus_bits: int = 64
    extreme: bool = False
    stalls: bool = True
    logits: bool = False
    others: tuple = ()

    def network(self, channels=None, size=None, seed=0):
        """The case's network, or another of the same widths."""
        return random_network(
            self.seed + seed,
            channels or self.channels,
            size or self.size,
            extreme=self.extreme,
            **self.widths,
        )


@st.composite
def cases(draw, others=2):
    """Depth, channels, size, every width, lanes, tiles, bus, extremes and stalls."""
    bits = st.integers(1, 8)
    channels = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)))
    size = (draw(st.integers(1, 18)), draw(st.integers(1, 18)))
    smaller = st.tuples(
        st.integers(1, len(channels)).flatmap(
            lambda depth: st.tuples(*(st.integers(1, n) for n in channels[:depth]))
        ),
        st.tuples(st.integers(1, size[0]), st.integers(1, size[1])),
    )
    return Case(
        seed=draw(st.integers(0, 2**31)),
        channels=channels,
        size=size,
        widths={
            "wbits": draw(bits),
            "abits": draw(bits),
            "ibits": draw(st.sampled_from([8, 8, 8, 1, 5])),
            "first_wbits": draw(st.sampled_from([8, 8, 8, 1, 4])),
            "last_wbits": draw(st.sampled_from([8, 8, 8, 1, 4])),
            "image_channels": draw(st.sampled_from([1, 1, 3])),
        },
        pin=draw(st.integers(1, 7)),
        pout=draw(st.integers(1, 7)),
        weight_words=draw(st.sampled_from([None, None, 12, 30])),
        bus_bits=draw(st.sampled_from([32, 64, 128])),
        extreme=draw(st.booleans()),
        stalls=draw(st.booleans()),
        logits=draw(st.booleans()),
        others=tuple(draw(st.lists(smaller, min_size=others, max_size=others))),
    )


def generate(case: Case, folder: Path) -> Path:
    """The accelerator's folder; tiles grow where the layers do not allow them that small."""
    network = case.network()
    for words in (case.weight_words, 60, None):
        try:
            design = design_for(network, case.pin, case.pout, words, case.bus_bits)
        except FxhwError as error:
            if "weight words" not in str(error):
                raise
        else:
            break
    write_bundle(network, compile_network(network, design), folder / "dut")
    return folder / "dut"


def check_case(case: Case, folder: Path, simulator: str = "verilator") -> int:
    """Run all of a case's networks on its accelerator; returns how many ran.

    Raises
    ------
    AssertionError if anything differs from the golden model.
    """
    dut = generate(case, folder)
    rng = np.random.default_rng(case.seed)
    jobs = []
    shapes = [(case.channels, case.size), *case.others]
    for number, (channels, size) in enumerate(shapes):
        network = case.network(channels, size, seed=number)
        shape = (*size, network.image_channels)
        image = rng.integers(0, network.image.max, shape, endpoint=True).astype(np.uint8)
        if case.extreme and number % 2:
            image[:] = network.image.max
        jobs.append(Job(network, image, case.stalls, seed=number + 1, logits=case.logits))
    # Beside the case's folder, so that cases share the simulator's own objects.
    cache = folder.parent / "cosim-cache"
    results = run_jobs(dut, jobs, simulator=simulator, cache=cache)
    for build in cache.glob(f"{simulator}-*"):
        shutil.rmtree(build)
    for number, result in enumerate(results):
        assert result.passed, (number, shapes[number], case, result.problems)
        if not case.stalls and not case.logits:
            # These are tiny: a few cycles here and there weigh more than in a real network.
            off = result.plan.estimate.total - result.cycles
            assert abs(off) <= 20 + 0.02 * result.cycles, (number, shapes[number], case, off)
    return len(results)
