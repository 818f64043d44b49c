"""The driver on simulated hardware: the sample with on-chip memory, a test design with external."""

import random
import types
from pathlib import Path

import numpy as np
import pytest

from fxhw.checkpoint import load_checkpoint
from fxhw.cosim.compiled import build_compiled
from fxhw.driver import Accelerator, AcceleratorError, AcceleratorTimeout, BusError
from fxhw.errors import FxhwError
from fxhw.golden import run_network
from fxhw.plan.registers import REGISTERS, Control, ErrorCode, Status
from tests.driver.conftest import SAMPLE, Simulation
from tests.driver.inverter import write_folder
from tests.networks import random_image

pytestmark = pytest.mark.cosim


def open_sample(simulation, polls=False):
    interrupt = None if polls else simulation.interrupt
    return Accelerator.open(
        SAMPLE, simulation.registers, streams=simulation.streams, interrupt=interrupt
    )


def open_inverter(simulation, bench):
    return Accelerator.open(
        bench.files, simulation.registers, memory=simulation.memory, interrupt=simulation.interrupt
    )


@pytest.fixture
def inverter(inverter_bench):
    """(simulation, accelerator with its program loaded) of the test design."""
    with Simulation(inverter_bench, size=1 << 16) as simulation:
        accelerator = open_inverter(simulation, inverter_bench)
        accelerator.load()
        yield simulation, accelerator


# ---- On-chip memory ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    return load_checkpoint(SAMPLE / "checkpoint.safetensors")


@pytest.mark.parametrize("pause", [0, 128], ids=["flowing", "pausing"])
@pytest.mark.parametrize("polls", [False, True], ids=["interrupt", "polling"])
def test_masks_and_logits_equal_golden(sample_bench, network, polls, pause):
    rng = np.random.default_rng(pause)
    with Simulation(sample_bench, stream_pause=pause) as simulation:
        accelerator = open_sample(simulation, polls)
        for loads in (False, True):
            if loads:
                accelerator.load()
            image = random_image(rng, network.size)
            mask, tensors = run_network(network, image)
            assert accelerator.run(image) == np.where(mask, 255, 0).astype("u1").tobytes()
            logits = accelerator.program.logits(accelerator.run(image, logits=True))
            assert logits == tensors["logit"].reshape(-1).tolist()
            cycles = accelerator.cycles()
            assert cycles.pop("TOTAL") == sum(cycles.values())
        assert simulation.problems() == []


def test_a_damaged_program_is_told_and_a_good_one_runs_after_it(sample_bench, network):
    image = random_image(np.random.default_rng(1), network.size)
    with Simulation(sample_bench) as simulation:
        accelerator = open_sample(simulation)
        good = accelerator.run(image)
        accelerator.write("LOAD_ADDRESS", 0)
        accelerator.write("LOAD_DATA", 0xFFFF_FFFF)
        accelerator.write("LOAD_DATA", 0)
        with pytest.raises(AcceleratorError, match="error 1 .CHECKSUM. at step 0, layer enc0a"):
            accelerator.run(image)
        accelerator.load()
        # What the refused run has left of its image is swallowed up to its end.
        assert accelerator.run(image) == good


def test_an_image_that_stops_half_way(sample_bench, network):
    image = random_image(np.random.default_rng(2), network.size)
    with Simulation(sample_bench) as simulation:
        accelerator = open_sample(simulation)
        accelerator.start()
        with pytest.raises(AcceleratorTimeout, match="layer enc0b; .* image stream had no pixel"):
            accelerator.wait(timeout=0.02)
        accelerator.abort()
        mask, _ = run_network(network, image)
        assert accelerator.run(image) == np.where(mask, 255, 0).astype("u1").tobytes()
        simulation.streams.send(bytes(7))
        accelerator.start()
        with pytest.raises(AcceleratorError, match="IMAGE_SHORT.*TLAST came before"):
            accelerator.wait()


def test_a_register_that_is_not_there(sample_bench):
    with Simulation(sample_bench) as simulation:
        for access in (simulation.registers.read32, lambda at: simulation.registers.write32(at, 1)):
            with pytest.raises(BusError, match="at offset 0xf0 was answered with SLVERR"):
                access(0xF0)


# ---- External memory -----------------------------------------------------------------------------

TIMINGS = {
    "at once": {"read_latency": 1, "write_latency": 1},
    "slow": {"read_latency": 200, "write_latency": 90},
    "one at a time": {"outstanding": 1},
    "pausing": {"pause": 100},
    "mostly pausing": {"pause": 240, "read_latency": 2},
    "reordering": {"reorder": 1, "pause": 60},
    "mixing beats": {"reorder": 2, "pause": 60, "read_latency": 9},
    "sharing": {"shared": 1, "pause": 30},
}


@pytest.mark.parametrize("timing", TIMINGS.values(), ids=TIMINGS)
def test_timing_changes_no_byte(inverter_bench, picture, timing):
    image, mask = picture
    # Above 4 GiB, so that the high halves of the bases count.
    with Simulation(inverter_bench, 0x23_4000_0000, 1 << 16, seed=3, **timing) as simulation:
        simulation.ask("fill", 5)
        accelerator = open_inverter(simulation, inverter_bench)
        accelerator.load()
        for seed in (1, 2):
            simulation.ask("seed", seed)
            assert accelerator.run(image) == mask
        assert simulation.problems() == []
        counts = simulation.counts()
        assert counts["write_bytes"] == 2 * len(image)
        assert counts["read_beats"] == 2 * (1 + -(-len(image) // 8))
        assert counts["read_bytes"] == 8 * counts["read_beats"]
        assert 0 < counts["first_request"] < counts["last_write"] <= counts["cycle"]


def test_latency_is_what_was_asked_for(inverter_bench, picture):
    image, mask = picture
    cycles = {}
    for latency in (1, 11, 40):
        with Simulation(inverter_bench, size=1 << 16, read_latency=latency) as simulation:
            accelerator = open_inverter(simulation, inverter_bench)
            accelerator.load()
            assert accelerator.run(image) == mask
            cycles[latency] = accelerator.cycles()["TOTAL"]
    rounds = 1 + -(-len(image) // 64)  # the program, then two bursts of 32 bytes at a time
    # With 1 cycle the first burst is answered while the second is asked for.
    assert cycles[40] - cycles[11] == 29 * rounds
    assert 9 * rounds <= cycles[11] - cycles[1] <= 10 * rounds


def test_a_seed_is_repeatable(inverter_bench, picture):
    counts = []
    for seed in (4, 4, 5):
        with Simulation(inverter_bench, size=1 << 16, seed=seed, pause=128) as simulation:
            accelerator = open_inverter(simulation, inverter_bench)
            accelerator.load()
            accelerator.run(picture[0])
            counts.append(simulation.counts()["last_write"])
    assert counts[0] == counts[1] != counts[2]


def test_nothing_outside_the_ranges_is_touched(inverter, picture):
    simulation, accelerator = inverter
    image, mask = picture
    base, size = 0x4000_0000, 1 << 16
    simulation.ask("fill", 9)
    accelerator.load()
    accelerator.write_image(image)
    before = bytearray(simulation.memory.read(base, size))
    ends = [base]
    for buffer in sorted(accelerator.ranges.values(), key=lambda b: b.address):
        simulation.guard(ends[-1], buffer.address)
        ends.append(buffer.address + buffer.size)
    simulation.guard(ends[-1], base + size)
    accelerator.start()
    accelerator.wait()
    assert simulation.problems() == []
    start = accelerator.ranges["MASK"].address - base
    before[start : start + len(mask)] = mask
    assert simulation.memory.read(base, size) == before


def test_guards_report(inverter, picture):
    simulation, accelerator = inverter
    ranges = accelerator.ranges
    image, mask = ranges["IMAGE"].address, ranges["MASK"].address
    simulation.guard(image + 20, image + 21)
    simulation.guard(mask + 100, mask + 102)
    assert accelerator.run(picture[0]) == picture[1], "a guard only watches"
    told = simulation.problems()
    assert len(told) == 3 == simulation.counts()["guard_touches"]
    assert told[0].endswith(f"guarded address 0x{image + 16:x} was read")
    assert told[1].endswith(f"guarded address 0x{mask + 100:x} was written")
    simulation.forgive()
    accelerator.run(picture[0])
    assert simulation.problems() == []


@pytest.mark.parametrize("response", [2, 3], ids=["SLVERR", "DECERR"])
@pytest.mark.parametrize(
    ("kind", "where", "code"),
    [
        ("r", "PROGRAM", ErrorCode.MEMORY_READ),
        ("r", "IMAGE", ErrorCode.MEMORY_READ),
        ("r", 1, ErrorCode.MEMORY_READ),
        ("r", 77, ErrorCode.MEMORY_READ),
        ("w", "MASK", ErrorCode.MEMORY_WRITE),
        ("w", 1, ErrorCode.MEMORY_WRITE),
        ("w", 500, ErrorCode.MEMORY_WRITE),
    ],
)
def test_errors_end_the_run_cleanly(inverter, picture, kind, where, code, response):
    simulation, accelerator = inverter
    simulation.set(pause=40, reorder=2)
    if isinstance(where, int):
        simulation.fail_beat(kind, where, response)
    else:
        buffer = accelerator.ranges[where]
        last = buffer.address + len(accelerator.program.data if where == "PROGRAM" else picture[0])
        simulation.fail_range(kind, last - 1, last, response)
    with pytest.raises(AcceleratorError) as caught:
        accelerator.run(picture[0])
    assert caught.value.code is code
    if isinstance(where, str):
        simulation.forgive()
    # An error at the n-th beat strikes once.
    assert accelerator.run(picture[0]) == picture[1]
    assert simulation.problems() == []


def test_addresses_without_memory_are_answered_with_decerr(inverter, picture):
    simulation, accelerator = inverter
    accelerator.write("IMAGE_BASE_HIGH", 1)
    with pytest.raises(AcceleratorError, match="error 14 .MEMORY_READ"):
        accelerator.run(picture[0])


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("MASK_BASE_LOW", "IMAGE", ErrorCode.RANGE_OVERLAP),
        ("FEATURE_BASE_LOW", 0x4000_0004, ErrorCode.RANGE_ALIGNMENT),
        ("MASK_BYTES", 100, ErrorCode.RANGE_LIMIT),
    ],
)
def test_hardware_refuses_ranges_itself(inverter, picture, name, value, code):
    simulation, accelerator = inverter
    before = simulation.memory.read(0x4000_0000, 1 << 16)
    accelerator.write(name, accelerator.ranges[value].address if value == "IMAGE" else value)
    accelerator.start()
    with pytest.raises(AcceleratorError) as caught:
        accelerator.wait()
    assert caught.value.code is code
    assert simulation.memory.read(0x4000_0000, 1 << 16) == before
    accelerator.load()
    assert accelerator.run(picture[0]) == picture[1]


def test_memory_that_does_not_answer(inverter, picture):
    simulation, accelerator = inverter
    simulation.set(read_latency=10**6)
    with pytest.raises(AcceleratorTimeout, match=r"within 1 s: STATUS 0x00000001, step 0, "):
        accelerator.run(picture[0], timeout=1)
    with pytest.raises(FxhwError, match="busy"):
        accelerator.run(picture[0])
    simulation.set(read_latency=40)
    simulation.reset()
    accelerator.load()
    assert accelerator.run(picture[0]) == picture[1]
    assert simulation.problems() == []


@pytest.mark.parametrize("moment", [1, 5, 50, 55, 60, 65, 70, 120, 777])
def test_reset_in_mid_run(inverter, picture, moment):
    simulation, accelerator = inverter
    accelerator.write_image(picture[0])
    accelerator.start()
    simulation.run(moment)
    simulation.reset()
    with pytest.raises(FxhwError, match="No run has ended"):
        accelerator.wait()
    accelerator.load()
    assert accelerator.run(picture[0]) == picture[1]
    assert simulation.problems() == []


def test_start_while_running(inverter, picture):
    simulation, accelerator = inverter
    accelerator.write_image(picture[0])
    accelerator.start()
    accelerator.write("CONTROL", Control.START | Control.IRQ_ENABLE)
    with pytest.raises(AcceleratorError, match="START_BUSY.*the run goes on"):
        accelerator.wait()
    assert accelerator.read("STATUS") & Status.DONE
    assert accelerator.read_mask() == picture[1]


def test_steps_can_be_watched(inverter, picture):
    simulation, accelerator = inverter
    accelerator.write_image(picture[0])
    accelerator.start()
    seen = [0]
    while accelerator.read("STATUS") & Status.BUSY and len(seen) < 5:
        seen.append(simulation.run_step(seen[-1]))
    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.slow
@pytest.mark.parametrize("bits", [128, 256])
def test_other_widths_of_the_bus(cache, picture, bits):
    options = {"data_bits": bits, "address_bits": 64 if bits == 256 else 32}
    folder = write_folder(cache / f"inverter{bits}", (73, 61), **options)
    bench = build_compiled(folder, cache, optimize=False)
    base = 0x4000_0000 if bits == 128 else 0xFEDC_BA98_0000_0000
    with Simulation(bench, base, 1 << 16, pause=60, reorder=2) as simulation:
        accelerator = open_inverter(simulation, bench)
        accelerator.load()
        assert accelerator.run(picture[0]) == picture[1]
        assert simulation.problems() == []
        assert simulation.counts()["read_beats"] == 1 + -(-len(picture[0]) // (bits // 8))


# ---- The bench itself ----------------------------------------------------------------------------


def test_commands_that_are_none(inverter):
    simulation, _ = inverter
    for words, match in [
        (("jump",), "refuses 'jump': there is no command jump"),
        (("run",), "refuses 'run': run is incomplete"),
        (("set", "color", 3), "refuses 'set': there is no setting color"),
        (("peek", 0, 4), "refuses 'peek': memory has no such bytes"),
        (("fault", "r", "beat", 0, 2), "refuses 'fault': beats count from 1"),
    ]:
        with pytest.raises(FxhwError, match=match):
            simulation.ask(*words)
    assert simulation.memory.read(0x4000_0000, 0) == b""


def test_a_bench_that_ends(inverter_bench):
    simulation = Simulation(inverter_bench)
    simulation.ask("quit")
    with pytest.raises(FxhwError, match="The simulation ended at 'run'"):
        simulation.run(1)
    simulation.close()


def test_a_bench_that_is_not_there(tmp_path):
    missing = types.SimpleNamespace(program=tmp_path / "none", files=tmp_path)
    with pytest.raises(FxhwError, match="none cannot run: No such file"):
        Simulation(missing)


def test_builds_are_kept(cache, inverter_bench):
    before = sorted(path.name for path in Path(cache).iterdir())
    assert build_compiled(inverter_bench.files, cache, optimize=False) == inverter_bench
    assert sorted(path.name for path in Path(cache).iterdir()) == before


def test_a_build_that_fails(cache, tmp_path):
    folder = write_folder(tmp_path / "broken", (2, 2))
    (folder / "inverter.v").write_text("module inverter; nonsense endmodule\n")
    with pytest.raises(FxhwError, match=r"cannot build .*inverter\.v: %Error"):
        build_compiled(folder, cache, optimize=False)


def test_random_sizes(inverter_bench):
    """Programs of other sizes on the same hardware, strobes at their ends included."""
    rng = random.Random(11)
    with Simulation(inverter_bench, size=1 << 16, pause=50, reorder=1) as simulation:
        accelerator = open_inverter(simulation, inverter_bench)
        for _ in range(12):
            count, key = rng.randint(1, 700), rng.randint(0, 255)
            data = key.to_bytes(4, "little") + count.to_bytes(4, "little")
            program = _resized(accelerator.program, count, data)
            accelerator.load(program)
            image = rng.randbytes(count)
            mask = accelerator.ranges["MASK"]
            simulation.memory.write(mask.address, bytes(mask.size))
            assert accelerator.run(image) == bytes(code ^ key for code in image)
            rest = simulation.memory.read(mask.address + count, mask.size - count)
            assert rest == bytes(len(rest))
        assert simulation.problems() == []


def _resized(program, count, data):
    from dataclasses import replace

    return replace(program, height=1, width=count, data=data)


def test_registers_of_the_table_are_where_the_bench_finds_them():
    assert REGISTERS["PROGRAM_BASE_LOW"].offset == REGISTERS["CYCLES_OVERHEAD"].offset + 4
