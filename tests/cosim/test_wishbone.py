"""The Wishbone accelerator: every layer equals golden, whatever memory and host do."""

import pytest

from fxhw.cosim.compiled import build_compiled
from fxhw.cosim.compiled_run import Timing, run_compiled
from fxhw.driver import Simulation
from fxhw.emit.bundle import write_bundle
from fxhw.plan import compile_network, design_for
from fxhw.plan.registers import ErrorCode
from tests.gateware.mutants import mutant
from tests.networks import random_network

from .test_external import (
    BASE,
    WIDTHS,
    Session,
    assert_equal,
    check_failing_beats,
    check_failing_range,
    job_for,
)

pytestmark = pytest.mark.cosim


def make(folder, seed, channels, size, pin=2, pout=2, bus_bits=64, weight_words=None, **widths):
    """A generated folder, and its network."""
    network = random_network(seed, channels, size, **{**WIDTHS, **widths})
    design = design_for(
        network, pin, pout, weight_words, bus_bits, memory="wishbone", address_bits=32
    )
    write_bundle(network, compile_network(network, design), folder, top=folder.name)
    return network


@pytest.fixture(scope="session")
def small(cache):
    """(folder, network): odd sizes, tiles of output channels, a color image."""
    network = make(cache / "odd_wishbone", 3, (3, 13), (9, 13), 2, 2, 64, 28, image_channels=3)
    return cache / "odd_wishbone", network


@pytest.fixture(scope="session")
def bench(small, cache):
    return build_compiled(small[0], cache, optimize=False)


TIMINGS = {
    "even": Timing(),
    "none": Timing(read_latency=1, write_latency=1),
    "pauses": Timing(read_latency=3, write_latency=2, pause=120),
}


class TestWholeNetworks:
    @pytest.mark.parametrize("name", TIMINGS)
    @pytest.mark.parametrize("logits", [False, True], ids=["mask", "logits"])
    def test_every_layer_equals_golden(self, small, cache, name, logits):
        folder, network = small
        job = job_for(network, seed=len(name), logits=logits)
        assert_equal(run_compiled(folder, job, timing=TIMINGS[name], cache=cache))

    @pytest.mark.slow
    @pytest.mark.parametrize("bus_bits", [128, 256])
    def test_other_widths(self, tmp_path, cache, bus_bits):
        folder = tmp_path / "wide"
        network = make(folder, 4, (5, 9), (3, 40), 3, 5, bus_bits, 18)
        for timing in TIMINGS.values():
            assert_equal(run_compiled(folder, job_for(network), timing=timing, cache=cache))


@pytest.fixture
def session(small, bench):
    with Simulation(bench, BASE, 1 << 20, clock_mhz=0.1, read_latency=4) as simulation:
        yield Session(simulation, *small)


class TestErrors:
    @pytest.mark.parametrize(
        ("name", "kind", "code"),
        [
            ("PROGRAM", "r", ErrorCode.MEMORY_READ),
            ("IMAGE", "r", ErrorCode.MEMORY_READ),
            ("FEATURE", "r", ErrorCode.MEMORY_READ),
            ("FEATURE", "w", ErrorCode.MEMORY_WRITE),
            ("MASK", "w", ErrorCode.MEMORY_WRITE),
        ],
    )
    def test_a_range_that_answers_with_errors(self, session, name, kind, code):
        check_failing_range(session, name, kind, code)

    @pytest.mark.parametrize("kind", ["r", "w"])
    def test_an_error_on_any_beat(self, session, kind):
        check_failing_beats(session, kind)

    def test_a_range_cut_short(self, session):
        buffer = session.ranges["FEATURE"]
        session.accelerator.write("FEATURE_BYTES", buffer.size - 8)
        session.simulation.guard(buffer.address + buffer.size - 8, buffer.address + buffer.size)
        session.fails(ErrorCode.RANGE_LIMIT)

    def test_registers_that_are_not_there(self, session):
        assert session.simulation.ask("r", 0xFC)[0] == "2"
        assert session.simulation.ask("w", 0xFC, 1)[0] == "2"
        session.works()

    def test_reset_at_any_time(self, session):
        session.works()
        total = session.accelerator.cycles()["TOTAL"]
        for part in (3, 40, total // 3, total // 2, total - 50):
            session.accelerator.start()
            session.simulation.run(part)
            session.simulation.reset()
            assert not session.simulation.problems()
            session.accelerator.load()
            session.guard()
            session.works()


@pytest.mark.slow
def test_a_broken_master_is_seen(cache, monkeypatch, tmp_path):
    """One that writes all lanes of a word."""
    import fxhw.gateware.wishbone_accelerator as module

    broken = mutant(module.WishboneMaster, "Mux(bus.we, branch.payload.strb, ~0)", "~0")
    monkeypatch.setattr(module, "WishboneMaster", broken)
    folder = tmp_path / "broken"
    network = make(folder, 3, (3, 13), (9, 13), 2, 2, 64, 28, image_channels=3)
    assert run_compiled(folder, job_for(network), cache=cache).problems
