"""The accelerator with external memory: every layer equals golden, whatever memory and host do."""

import numpy as np
import pytest

from fxhw.cosim import Folder, Job
from fxhw.cosim.compiled import build_compiled
from fxhw.cosim.compiled_run import Timing, run_compiled
from fxhw.driver import Accelerator, AcceleratorError, Program, Simulation
from fxhw.emit.bundle import write_bundle
from fxhw.golden import run_network
from fxhw.plan import compile_network, design_for
from fxhw.plan.registers import RANGES, Control, ErrorCode, Status
from tests.driver import test_c_driver as c_driver
from tests.networks import random_image, random_network

pytestmark = pytest.mark.cosim

WIDTHS = {"wbits": 4, "abits": 6, "ibits": 8, "first_wbits": 8, "last_wbits": 8}
BASE = 0x4000_0000


def make(
    folder, seed, channels, size, pin, pout, bus_bits, weight_words, target="generic", **widths
):
    """A generated folder, and its network."""
    network = random_network(seed, channels, size, **{**WIDTHS, **widths})
    design = design_for(
        network, pin, pout, weight_words, bus_bits, memory="axi", address_bits=40,
        style="generic" if target == "generic" else "lut", target=target,
    )
    write_bundle(network, compile_network(network, design), folder, top=folder.name)
    return network


def job_for(network, seed=1, logits=False):
    rng = np.random.default_rng(seed)
    image = random_image(rng, network.size, network.image_channels, network.image.width)
    return Job(network, image, seed=seed, logits=logits)


@pytest.fixture(scope="session")
def small(cache):
    """(folder, network): odd sizes, tiles of output channels, a color image, lanes that differ."""
    network = make(cache / "odd", 3, (3, 13), (9, 13), 2, 3, 64, 28, image_channels=3)
    return cache / "odd", network


@pytest.fixture(scope="session")
def bench(small, cache):
    return build_compiled(small[0], cache, optimize=False)


def assert_equal(result):
    assert result.problems == []
    places = {(check.layer, check.place) for check in result.verdict.checks if check.compared}
    for step in result.plan.schedule.steps:
        assert (step.conv.name, "stream") in places
        assert not step.store_full or (step.out.name, "memory") in places


TIMINGS = {
    "even": Timing(),
    "none": Timing(read_latency=1, write_latency=1),
    "pauses": Timing(pause=120),
    "any order": Timing(read_latency=90, reorder=2, pause=40),
    "one burst, one beat": Timing(outstanding=1, shared=1, reorder=1),
}


class TestWholeNetworks:
    @pytest.mark.parametrize("name", TIMINGS)
    @pytest.mark.parametrize("logits", [False, True], ids=["mask", "logits"])
    def test_every_layer_equals_golden(self, small, cache, name, logits):
        folder, network = small
        job = job_for(network, seed=len(name), logits=logits)
        assert_equal(run_compiled(folder, job, timing=TIMINGS[name], cache=cache))

    def test_on_cells_of_ecp5(self, tmp_path, cache):
        """The queues of beats are blocks with their own registers there."""
        folder = tmp_path / "cells"
        network = make(folder, 5, (3, 4), (6, 9), 2, 2, 64, 28, target="ecp5")
        verilog = (folder / "cells.v").read_text()
        assert "ecp5_queue_memory_" in verilog
        for name in ("even", "any order", "one burst, one beat"):
            assert_equal(run_compiled(folder, job_for(network), timing=TIMINGS[name], cache=cache))

    def test_tiles_are_tiles(self, small):
        steps = Folder.open(small[0]).manifest["steps"]
        assert len(steps) > len({step["layer"] for step in steps})

    def test_other_networks_are_programs(self, small, cache):
        other = random_network(9, (2, 4), (5, 7), **WIDTHS, image_channels=2)
        assert_equal(run_compiled(small[0], job_for(other), cache=cache))

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("seed", "channels", "size", "pin", "pout", "bus_bits", "weight_words"),
        [
            (1, (4, 6), (12, 10), 4, 2, 128, None),
            (2, (2, 3, 4), (7, 5), 1, 1, 64, None),
            (3, (8, 12), (16, 17), 8, 4, 256, 8),
            (4, (5, 9), (3, 40), 3, 5, 64, 18),
            (5, (3,), (1, 1), 2, 2, 64, None),
        ],
    )
    @pytest.mark.parametrize("kinds", [{}, {"wbits": 2, "abits": 3}])
    def test_other_shapes(
        self, tmp_path, cache, seed, channels, size, pin, pout, bus_bits, weight_words, kinds
    ):
        folder = tmp_path / "shape"
        network = make(folder, seed, channels, size, pin, pout, bus_bits, weight_words, **kinds)
        for timing in (Timing(), TIMINGS["any order"]):
            assert_equal(run_compiled(folder, job_for(network), timing=timing, cache=cache))


class Session:
    """An accelerator with its program and an image in a memory of guarded ranges."""

    def __init__(self, simulation, folder, network, **timing):
        self.simulation, self.network = simulation, network
        simulation.set(**timing)
        self.accelerator = Accelerator.open(
            folder, simulation.registers, memory=simulation.memory,
            interrupt=simulation.interrupt,
        )
        self.accelerator.load()
        self.image = job_for(network).image
        self.mask = np.where(run_network(network, self.image)[0], 255, 0).astype(np.uint8)
        self.accelerator.write_image(self.image)
        self.guard()

    @property
    def ranges(self):
        return self.accelerator.ranges

    def guard(self):
        """Guards around what the accelerator may touch."""
        end = BASE
        for buffer in sorted(self.ranges.values(), key=lambda buffer: buffer.address):
            self.simulation.guard(end, buffer.address)
            end = buffer.address + buffer.size
        self.simulation.guard(end, BASE + (1 << 20))

    def fails(self, code):
        """A run ends with ``code``."""
        self.accelerator.start()
        with pytest.raises(AcceleratorError) as error:
            self.accelerator.wait(timeout=30)
        assert error.value.code == code, ErrorCode(error.value.code)
        assert not self.simulation.problems()

    def works(self):
        """A run gives the mask."""
        ranges = self.ranges
        self.simulation.memory.write(ranges["MASK"].address, bytes(ranges["MASK"].size))
        mask = self.accelerator.run(self.image, timeout=30)
        assert np.array_equal(np.frombuffer(mask, np.uint8), self.mask.ravel())
        assert not self.simulation.problems()


@pytest.fixture
def session(small, bench):
    with Simulation(bench, BASE, 1 << 20, clock_mhz=0.1, read_latency=20) as simulation:
        yield Session(simulation, *small)


def check_failing_range(session, name, kind, code, response=2):
    """Accesses to a range are answered with errors: the run says so, the next one works."""
    buffer = session.ranges[name]
    session.simulation.fail_range(kind, buffer.address, buffer.address + buffer.size, response)
    session.fails(code)
    session.simulation.forgive()
    session.guard()
    session.works()


def check_failing_beats(session, kind):
    """The same for single beats from the first to the last."""
    session.works()
    counts = session.simulation.counts()
    beats = counts["read_beats" if kind == "r" else "write_beats"]
    code = ErrorCode.MEMORY_READ if kind == "r" else ErrorCode.MEMORY_WRITE
    for number in {1, 2, *range(7, beats, max(1, beats // 12)), beats}:
        session.simulation.forgive()
        session.guard()
        session.simulation.fail_beat(kind, number)
        session.fails(code)
    session.simulation.forgive()
    session.guard()
    session.works()


class TestErrors:
    @pytest.mark.parametrize("response", [2, 3], ids=["SLVERR", "DECERR"])
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
    def test_a_range_that_answers_with_errors(self, session, name, kind, code, response):
        check_failing_range(session, name, kind, code, response)

    @pytest.mark.parametrize("kind", ["r", "w"])
    def test_an_error_on_any_beat(self, session, kind):
        check_failing_beats(session, kind)

    @pytest.mark.parametrize("name", RANGES)
    def test_a_range_cut_short(self, session, name):
        """Not a byte past it is touched."""
        buffer = session.ranges[name]
        # The mask's has room for logits.
        needed = session.mask.size if name == "MASK" else buffer.size
        for part in (0, needed // 2, needed - 8):
            session.accelerator.write(f"{name}_BYTES", part)
            session.simulation.guard(buffer.address + part, buffer.address + buffer.size)
            session.fails(ErrorCode.RANGE_LIMIT)
            session.simulation.forgive()
            session.guard()
        session.accelerator.write(f"{name}_BYTES", buffer.size)
        session.works()

    @pytest.mark.parametrize("name", RANGES)
    def test_a_base_that_is_not_aligned(self, session, name):
        base = session.ranges[name].address
        session.accelerator.write(f"{name}_BASE_LOW", base + 4)
        session.fails(ErrorCode.RANGE_ALIGNMENT)
        session.accelerator.write(f"{name}_BASE_LOW", base)
        session.works()

    @pytest.mark.parametrize("name", RANGES)
    def test_a_base_that_no_address_reaches(self, session, name):
        session.accelerator.write(f"{name}_BASE_HIGH", 1 << 8)
        session.fails(ErrorCode.RANGE_LIMIT)
        session.accelerator.write(f"{name}_BASE_HIGH", 0)
        session.works()

    @pytest.mark.parametrize("first", RANGES)
    @pytest.mark.parametrize("second", RANGES)
    def test_ranges_that_overlap(self, session, first, second):
        if first >= second:
            return
        place, other = session.ranges[first], session.ranges[second]
        session.accelerator.write(f"{first}_BASE_LOW", other.address + other.size - 8)
        session.fails(ErrorCode.RANGE_OVERLAP)
        session.accelerator.write(f"{first}_BASE_LOW", place.address)
        session.works()

    def test_a_damaged_program(self, session):
        place = session.ranges["PROGRAM"].address
        rng = np.random.default_rng(1)
        memory = session.simulation.memory
        for _ in range(20):
            at = place + int(rng.integers(0, 64 * len(session.accelerator.program.layers)))
            byte = memory.read(at, 1)
            memory.write(at, bytes([byte[0] ^ 1 << int(rng.integers(8))]))
            session.accelerator.start()
            with pytest.raises(AcceleratorError):
                session.accelerator.wait(timeout=30)
            assert not session.simulation.problems()
            memory.write(at, byte)
        session.works()


class TestHost:
    def test_start_during_a_run(self, session):
        accelerator = session.accelerator
        accelerator.write_image(session.image)
        accelerator.start()
        session.simulation.run(500)
        accelerator.write("CONTROL", Control.START | Control.IRQ_ENABLE)
        with pytest.raises(AcceleratorError) as error:
            accelerator.wait(timeout=30)
        assert error.value.code == ErrorCode.START_BUSY
        mask = np.frombuffer(accelerator.read_mask(), np.uint8)
        assert np.array_equal(mask, session.mask.ravel()), "the run goes on"
        session.works()

    def test_a_range_moved_during_a_run(self, session):
        accelerator = session.accelerator
        accelerator.start()
        session.simulation.run(700)
        accelerator.write("MASK_BASE_LOW", BASE)
        with pytest.raises(AcceleratorError) as error:
            accelerator.wait(timeout=30)
        assert error.value.code == ErrorCode.LOAD_BUSY
        assert accelerator.read("MASK_BASE_LOW") == session.ranges["MASK"].address
        session.works()

    @pytest.mark.parametrize("pause", [0, 100])
    def test_abort_at_any_time(self, session, pause):
        session.simulation.set(pause=pause)
        session.works()
        total = session.accelerator.cycles()["TOTAL"]
        rng = np.random.default_rng(pause)
        for _ in range(25):
            session.accelerator.start()
            session.simulation.run(int(rng.integers(1, total)))
            session.accelerator.abort()
            session.simulation.run(int(rng.integers(1, 40)))
            assert not session.accelerator.read("STATUS") & (Status.BUSY | Status.DONE)
        session.works()

    def test_reset_at_any_time(self, session):
        """The bus is reset with it, as AXI4 demands; memory outside the ranges stays as it is."""
        session.works()
        total = session.accelerator.cycles()["TOTAL"]
        rng = np.random.default_rng(5)
        for _ in range(10):
            session.accelerator.start()
            session.simulation.run(int(rng.integers(1, total)))
            session.simulation.reset()
            assert not session.simulation.problems()
            session.accelerator.load()
            session.guard()
            session.works()


class TestDrivers:
    """Python's ran in every test above."""

    @pytest.mark.parametrize("logits", [False, True], ids=["mask", "logits"])
    def test_in_c(self, small, bench, tmp_path, logits):
        folder, network = small
        program = Program.from_folder(folder)
        built = c_driver.build(bench, tmp_path, program)
        image = job_for(network, seed=11).image
        mask, tensors = run_network(network, image)
        commands = ["set pause 60", "set reorder 2", *(["logits"] if logits else []), "run"]
        said, data = c_driver.run(built, folder, image.tobytes(), 1 << 20, BASE, *commands)
        assert "overlap: two ranges overlap" in said
        assert said.count("run: done") == 2
        assert said[-1] == "ok 0", "the bench has seen a breach of a protocol"
        if logits:
            assert program.logits(data) == tensors["logit"].ravel().tolist()
        else:
            assert data == np.where(mask, 255, 0).astype("u1").tobytes()


def test_a_writer_without_strobes_is_seen(small, cache, monkeypatch, tmp_path):
    """Bytes beside a tile's words, written too."""
    from fxhw.gateware.burst_writer import BurstWriter

    original = BurstWriter._prepare
    monkeypatch.setattr(
        BurstWriter, "_prepare",
        lambda self, issued: [*original(self, issued), self._next.first.eq(~0)],
    )
    folder = tmp_path / "broken"
    network = make(folder, 3, (3, 13), (9, 13), 2, 3, 64, 28, image_channels=3)
    assert run_compiled(folder, job_for(network), cache=cache).problems
