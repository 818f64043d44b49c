"""One image on the compiled bench: driven as on a board, recorded, compared with the golden model.

The driver loads program, weights and image, starts, waits and reads the mask.  Meanwhile the bench
records the words that the trace pins show; with external memory, every feature map is looked at
there as soon as the step that makes it has ended.
"""

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from ..driver import Accelerator, Program, Simulation
from ..emit.documents import program_hex
from ..emit.manifest import make_manifest
from ..plan import Plan
from ..plan.registers import Status, registers_of
from .compiled import build_compiled
from .jobs import Job
from .result import BusUse, Result, cycles_of_steps
from .scoreboard import check_records
from .simulate import LONG_CYCLES, SLACK_CYCLES, Folder
from .traces import Records, Trace, read_track, steps_of_track, unpack_words

__all__ = ["Timing", "run_compiled"]

_BASE = 0x4000_0000
"""First address of the memory."""

_LOOK_SECONDS = 0.4
"""Real time between two looks at the simulation."""


@dataclass(frozen=True)
class Timing:
    """How the world around the accelerator behaves.

    Parameters
    ----------
    read_latency : cycles from a read's address to its first beat.
    write_latency : cycles from a burst's last beat to its response.
    outstanding : bursts that the memory accepts and has not answered, for each direction.
    pause : of 256 cycles, in how many a channel of the memory pauses, each by itself.
    reorder : 1 answers bursts of different IDs in any order, 2 mixes their beats too.
    shared : 1 moves one beat per cycle, for reads and writes together.
    stream_pause : of 256 cycles, in how many a stream pauses.
    """

    read_latency: int = 40
    write_latency: int = 8
    outstanding: int = 8
    pause: int = 0
    reorder: int = 0
    shared: int = 0
    stream_pause: int = 0

    @property
    def slowdown(self) -> float:
        """How much longer a run may take because of this, at the most."""
        paused = max(self.pause, self.stream_pause)
        return 256 / max(16, 256 - paused) * (1 + self.shared) * (1 + self.read_latency / 100)


def run_compiled(
    folder: str | os.PathLike | Folder,
    job: Job,
    *,
    timing: Timing | None = None,
    cache: str | os.PathLike = "build/cosim",
    progress: Callable[[str], None] | None = None,
) -> Result:
    """Run ``job`` on the compiled bench of a generated folder and check every bit.

    Parameters
    ----------
    timing : of memory and streams (default: that of :class:`Timing`).
    cache : folder for builds.
    progress : called with a phrase, now and then.

    Raises
    ------
    FxhwError if the folder is unusable, the network does not fit, Verilator is missing or the
    simulation breaks off.
    """
    folder = folder if isinstance(folder, Folder) else Folder.open(folder)
    timing, tell = timing or Timing(), progress or (lambda phrase: None)
    plan = folder.plan(job.network)
    top = folder.manifest["top"]
    manifest = make_manifest(job.network, plan, top, folder.manifest["ports"], {})
    program = Program.from_manifest(top, manifest, program_hex(plan))
    tell("building the simulation")
    bench = build_compiled(folder.path, cache, optimize=plan.estimate.total > LONG_CYCLES)
    # The mask's range has room for logits; beats and pages at the ranges' ends.
    size = len(program.data) + program.feature_bytes + program.image_bytes
    size = 1 << (2 * (size + program.mask_bytes(logits=True)) + (1 << 16)).bit_length()
    with Simulation(bench, _BASE, size, job.seed, **asdict(timing)) as simulation:
        run = _Run(simulation, plan, program, job, timing)
        run.load(size, reload=plan.beats != folder.beats)
        run.watch(tell)
        run.read()
    tell("comparing with the golden model")
    return run.result()


class _Run:
    """The course of a run.

    Parameters
    ----------
    simulation : a running bench.
    program : ``plan`` as the driver knows it.
    """

    def __init__(
        self, simulation: Simulation, plan: Plan, program: Program, job: Job, timing: Timing
    ):
        self._simulation, self._plan, self._program, self._job = simulation, plan, program, job
        self._limit = int((4 * plan.estimate.total + SLACK_CYCLES) * timing.slowdown)
        interrupt = simulation.interrupt
        parts = {"memory": simulation.memory} if program.external else {}
        parts = parts or {"streams": simulation.streams}
        registers = simulation.registers
        self._accelerator = Accelerator(program, registers, interrupt=interrupt, **parts)
        self._stored: dict[tuple[int, str], Trace] = {}
        self._counts: list[dict[str, int]] = []

    def load(self, size: int, reload: bool) -> None:
        """Load the program, if the hardware does not hold it already, and the image.

        Of external memory, ``size`` bytes, whatever is not the driver's is guarded.
        """
        simulation, accelerator = self._simulation, self._accelerator
        if self._program.external:
            simulation.ask("fill", self._job.seed)
            accelerator.load()
            ends = [_BASE]
            for buffer in sorted(accelerator.ranges.values(), key=lambda b: b.address):
                simulation.guard(ends[-1], buffer.address)
                ends.append(buffer.address + buffer.size)
            simulation.guard(ends[-1], _BASE + size)
        elif reload:
            accelerator.load()
        self._image = np.ascontiguousarray(self._job.image, np.uint8).tobytes()
        accelerator.write_image(self._image)

    def watch(self, tell: Callable[[str], None]) -> None:
        """Start, and follow the run to its end or its limit."""
        simulation, accelerator = self._simulation, self._accelerator
        simulation.trace()
        simulation.counts(restart=True)
        accelerator.start(self._job.logits)
        start, began = simulation.cycle, time.monotonic()
        step, cycles = simulation.run_step(1 << 16, 1), 10_000
        while True:
            before, looked = simulation.cycle, time.monotonic()
            now = simulation.run_step(step, cycles)
            if now != step:
                self._end_step(step)
                step = now
            elif not accelerator.read("STATUS") & Status.BUSY:
                break
            elif simulation.cycle - start > self._limit:
                break
            else:
                seconds = max(1e-3, time.monotonic() - looked)
                cycles = max(1000, int((simulation.cycle - before) * _LOOK_SECONDS / seconds))
            tell(self._phrase(step, simulation.cycle - start, time.monotonic() - began))
        self._end_step(step)
        simulation.run(64)

    def _phrase(self, step: int, cycles: int, seconds: float) -> str:
        """Where the run is, and how long it has to go."""
        estimate = self._plan.estimate.total
        left = max(0, estimate - cycles) * seconds / max(1, cycles)
        return (
            f"simulating {self._program.layer(step)}, step {step} of "
            f"{len(self._plan.descriptors) - 1}: {cycles / 1e6:.2f} of about "
            f"{estimate / 1e6:.2f} million cycles, {cycles / max(1e-3, seconds):,.0f} per second, "
            f"{left / 60:.0f} min {left % 60:.0f} s left"
        )

    def _end_step(self, step: int) -> None:
        """Look at what a step has left in external memory, before anything takes its place."""
        if not self._program.external or step not in self._plan.places:
            return
        self._counts.append(self._simulation.counts())
        index = self._plan.places.index(step)
        found = self._plan.schedule.steps[index]
        for info, columns in found.stored:
            channels = found.first_channel, found.channels
            self._stored[index, info.name] = self._read_map(info.name, columns, *channels)

    def _read_map(self, name: str, columns: slice, first_channel: int, channels: int) -> Trace:
        """Some columns and channels of a feature map in external memory, in raster order."""
        design, region = self._plan.design, self._plan.memory_map.regions[name]
        info, size = region.tensor, design.packed.word_bytes
        address = self._accelerator.ranges["FEATURE"].address + region.base
        data = self._simulation.memory.read(address, info.height * region.row_stride)
        rows = np.frombuffer(data, np.uint8).reshape(info.height, region.row_stride)
        words = rows[:, : info.width * region.groups * size]
        words = words.reshape(info.height, info.width, region.groups, size)
        first = first_channel // design.pin
        words = words[:, columns, first : first - (-channels // design.pin)].reshape(-1, size)
        none = np.zeros(len(words), np.int64)
        codes = unpack_words(words, design.pin, design.abits)
        return Trace(none + self._simulation.cycle, none, none, codes)

    def read(self) -> None:
        """Read registers, records and the mask."""
        simulation, accelerator, design = self._simulation, self._accelerator, self._plan.design
        self._registers = {
            name: accelerator.read(name)
            for name, register in registers_of(self._program.external).items()
            if register.access != "wo"
        }
        lanes = {"front": design.pin, "out": design.pout, "write": design.pin}
        tracks = {
            name: read_track(simulation.fetch(name), count, design.abits, name == "write")
            for name, count in lanes.items()
        }
        writes = None if self._program.external else tracks["write"]
        self._records = Records(
            tracks["front"], tracks["out"], self._mask(), writes, self._stored
        )
        self._events = steps_of_track(simulation.fetch("steps"))
        self._complaints = (*simulation.problems(), *self._changed())
        self._counts.append(simulation.counts())

    def result(self) -> Result:
        """What the run did, compared with the golden model."""
        return Result(
            self._job,
            self._plan,
            not self._registers["STATUS"] & Status.BUSY,
            self._registers,
            check_records(self._job, self._plan, self._records),
            cycles_of_steps(self._events, self._plan.places),
            bus=self._bus_use() if self._program.external else None,
            complaints=self._complaints,
        )

    def _changed(self) -> list[str]:
        """What the accelerator should only have read and yet has written."""
        inputs = {"PROGRAM": self._program.data, "IMAGE": self._image}
        ranges, memory = self._accelerator.ranges, self._simulation.memory
        return [
            f"Range {name} is not as the driver wrote it"
            for name, data in inputs.items()
            if name in ranges and memory.read(ranges[name].address, len(data)) != data
        ]

    def _mask(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(cycle, TLAST, byte); the bench itself looks at TLAST, where there is one."""
        if self._program.external:
            data = self._accelerator.read_mask()
        else:
            data = self._simulation.ask_bytes("take")
        count = self._program.mask_bytes(self._job.logits)
        last = (np.arange(len(data)) == count - 1).astype(np.int64)
        cycle = np.full(len(data), self._simulation.cycle, np.int64)
        return cycle, last, np.frombuffer(data, np.uint8).astype(np.int64)

    def _bus_use(self) -> BusUse:
        *marks, last = self._counts
        names = "read_bytes", "write_bytes"
        totals = [tuple(mark[name] for name in names) for mark in (*marks[:-1], last)]
        steps = tuple(
            (after[0] - before[0], after[1] - before[1])
            for before, after in zip([(0, 0), *totals], totals)
        )
        return BusUse(last["first_request"], last["last_write"], *totals[-1], steps)
