"""Random accelerators and the networks that run on them, for co-simulation."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from fxhw.cosim import Job, run_jobs
from fxhw.emit.bundle import write_bundle
from fxhw.errors import FxhwError
from fxhw.plan import compile_network, design_for
from fxhw.plan.memory_map import map_memory
from fxhw.plan.schedule import schedule_network
from tests.networks import random_network

__all__ = ["Case", "cases", "check_case", "generate", "needs_icarus"]

needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus is not installed"
)


@dataclass(frozen=True)
class Case:
    """A network to generate an accelerator for, and how.

    ``others`` are (channels, size) of networks to load as programs on the same accelerator;
    ``multipliers`` are the numbers of those networks that have multipliers, the accelerator's own
    being number 0.
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
    multipliers: tuple[int, ...] = ()
    style: str = "generic"
    target: str = "generic"
    pixels: int = 1
    dsps: int = 0

    def networks(self):
        """The accelerator's own network, and the others of the same widths."""
        return [
            random_network(
                self.seed + number,
                channels,
                size,
                extreme=self.extreme,
                multipliers=number in self.multipliers,
                **self.widths,
            )
            for number, (channels, size) in enumerate([(self.channels, self.size), *self.others])
        ]


@st.composite
def cases(draw, others=2):
    """Depth, channels, size, every kind and width, lanes, tiles, bus, extremes and stalls."""
    bits = st.integers(1, 8)
    rarely = st.sampled_from([False, False, True])
    channels = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)))
    size = (draw(st.integers(1, 18)), draw(st.integers(1, 18)))

    def fitting(depth):
        # The bottom has as many channels as the last level, and must fit where the next one was.
        bottom = min(channels[depth - 1 : depth + 1])
        return st.tuples(*(st.integers(1, n) for n in (*channels[: depth - 1], bottom)))

    smaller = st.tuples(
        st.integers(1, len(channels)).flatmap(fitting),
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
            "weights": draw(st.sampled_from(["fixed", "fixed", "ternary", "power"])),
            "activations": draw(
                st.sampled_from(["unsigned", "unsigned", "signed", "ternary", "sign"])
            ),
        },
        pin=draw(st.integers(1, 7)),
        pout=draw(st.integers(1, 7)),
        weight_words=draw(st.sampled_from([None, None, 12, 30])),
        bus_bits=draw(st.sampled_from([32, 64, 128])),
        extreme=draw(st.booleans()),
        stalls=draw(st.booleans()),
        logits=draw(st.booleans()),
        others=tuple(draw(st.lists(smaller, min_size=others, max_size=others))),
        multipliers=tuple(sorted(draw(st.sets(st.integers(0, others))))) if draw(rarely) else (),
    )


def generate(case: Case, folder: Path) -> Path:
    """The accelerator's folder; tiles grow where the layers do not allow them that small."""
    network, *others = case.networks()
    mul_bits = max((conv.mul_bits for other in others for conv in other.convs), default=0)
    for words in (case.weight_words, 60, None):
        try:
            design = design_for(
                network,
                case.pin,
                case.pout,
                words,
                case.bus_bits,
                mul_bits,
                case.style,
                case.target,
                case.pixels,
                case.dsps,
            )
        except FxhwError as error:
            if "weight words" not in str(error):
                raise
        else:
            break
    # The order of placement matters, so that a smaller network may take a little more.
    schedules = [schedule_network(n, case.pin, case.pout, design.weight_words) for n in others]
    needs = [design.feature_words, *(map_memory(s, case.pin).words for s in schedules)]
    design = replace(design, feature_words=max(needs))
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
    for number, network in enumerate(case.networks()):
        shape = (*network.size, network.image_channels)
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
        assert result.passed, (number, case, result.problems)
        if not case.stalls and not case.logits:
            # These are tiny: a few cycles here and there weigh more than in a real network.
            off = result.plan.estimate.total - result.cycles
            assert abs(off) <= 20 + 0.02 * result.cycles, (number, case, off)
    return len(results)
