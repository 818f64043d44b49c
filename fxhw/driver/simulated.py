"""The compiled bench as a bus: a process that simulates the hardware, spoken to over pipes."""

import os
import subprocess
import tempfile
from pathlib import Path

from ..errors import FxhwError
from .bus import BusError, Interrupt, RegionMemory, RegisterBus, StreamPort

__all__ = ["Simulation"]

_RESPONSES = {2: "SLVERR", 3: "DECERR", 4: "no answer at all"}

_CYCLES = 1 << 40
"""More cycles than anybody waits for."""


class Simulation:
    """A running bench.  Its parts are :attr:`registers`, :attr:`memory`, :attr:`streams` and
    :attr:`interrupt`; use it in a ``with`` statement, or close it.

    Parameters
    ----------
    bench : what :func:`fxhw.cosim.compiled.build_compiled` has built.
    base, size : the memory.
    seed : of all that is random.
    clock_mhz : million cycles in a second of a time limit; few, so that a hang ends soon.
    settings : as for :meth:`set`.

    Raises
    ------
    FxhwError if the program cannot be run.
    """

    def __init__(
        self,
        bench,
        base: int = 0x4000_0000,
        size: int = 1 << 24,
        seed: int = 1,
        clock_mhz: float = 1.0,
        **settings: int,
    ):
        self.hertz = clock_mhz * 1e6
        self.cycle = 0
        self._log = tempfile.TemporaryFile()
        command = [str(Path(bench.program).resolve()), str(base), str(size), str(seed)]
        try:
            self._process = subprocess.Popen(
                command,
                cwd=os.fspath(bench.files),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
            )
        except OSError as error:
            self._log.close()
            raise FxhwError(f"Simulation {command[0]} cannot run: {error.strerror}") from error
        self.registers = _Registers(self)
        self.memory = _Memory(self, base, size)
        self.streams = _Streams(self)
        self.interrupt = _Interrupt(self)
        self.set(**settings)

    def __enter__(self) -> "Simulation":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            try:
                self.ask("quit")
            except (FxhwError, OSError):
                self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            stream.close()

    def ask(self, *words: object, data: bytes = b"") -> list[str]:
        """Send a command (see ``fxhw/cosim/model/commands.h``); the words of its answer.

        Raises
        ------
        FxhwError with the bench's sentence if it refuses, or if it has ended.
        """
        try:
            self._process.stdin.write(" ".join(map(str, words)).encode() + b"\n" + data)
            self._process.stdin.flush()
            line = self._process.stdout.readline().decode()
        except OSError:
            line = ""
        if line.startswith("ok"):
            return line.split()[1:]
        if line:
            reason = line.partition(" ")[2].strip()
            raise FxhwError(f"The simulation refuses '{words[0]}': {reason}")
        self._log.seek(0)
        said = self._log.read().decode(errors="replace").strip().splitlines()
        raise FxhwError(f"The simulation ended at '{words[0]}': {said[-1] if said else 'no word'}")

    def ask_bytes(self, *words: object) -> bytes:
        """Send a command that is answered with bytes."""
        return self._process.stdout.read(int(self.ask(*words)[0]))

    def set(self, **settings: int) -> None:
        """Timing: ``read_latency``, ``write_latency`` (cycles), ``outstanding`` (bursts),
        ``pause`` and ``stream_pause`` (of 256 cycles), ``reorder`` (1: bursts of different IDs,
        2: their beats too), ``shared`` (1: one beat per cycle for both directions together)."""
        for name, value in settings.items():
            self.ask("set", name, value)

    def reset(self, cycles: int = 8) -> None:
        """Reset the accelerator; memory stays."""
        self.cycle = int(self.ask("reset", cycles)[0])

    def run(self, cycles: int) -> None:
        """Let time pass."""
        self.cycle = int(self.ask("run", cycles)[0])

    def run_step(self, step: int, cycles: int = _CYCLES) -> int:
        """Run until the running step is not ``step``, or a run ends; the step it is then."""
        now, self.cycle = map(int, self.ask("step", step, cycles))
        return now

    def trace(self, on: bool = True) -> None:
        """Record what the trace pins show from now on, or do not; see :meth:`fetch`."""
        self.ask("trace", int(on))

    def fetch(self, track: str) -> bytes:
        """What ``front``, ``out``, ``write`` or ``steps`` has recorded since the last time.

        Records lie back to back, as ``fxhw/cosim/model/tracks.h`` says; none if the top does not
        have such pins.
        """
        return self.ask_bytes("fetch", track)

    def guard(self, first: int, end: int) -> None:
        """Report any access to addresses ``first`` .. ``end - 1`` among the problems."""
        self.ask("guard", first, end)

    def fail_range(self, kind: str, first: int, end: int, response: int = 2) -> None:
        """Answer accesses (``kind`` ``r`` or ``w``) that touch a range with SLVERR or DECERR."""
        self.ask("fault", kind, "range", first, end, response)

    def fail_beat(self, kind: str, number: int, response: int = 2) -> None:
        """The same for the ``number``-th beat from now on, the next one being 1."""
        self.ask("fault", kind, "beat", number, response)

    def forgive(self) -> None:
        """Take back guards and errors, and forget problems."""
        self.ask("forgive")

    def problems(self) -> list[str]:
        """Breaches of the AXI protocol and touches of guards, a sentence each."""
        count = int(self.ask("problems")[0])
        return [self._process.stdout.readline().decode().rstrip("\n") for _ in range(count)]

    def counts(self, restart: bool = False) -> dict[str, int]:
        """Cycle, cycles of the first request and the last write, bursts, beats and bytes."""
        pairs = (word.split("=") for word in self.ask("counts"))
        counts = {name: int(value) for name, value in pairs}
        if restart:
            self.ask("mark")
        return counts


class _Registers(RegisterBus):
    def __init__(self, simulation: Simulation):
        self._simulation = simulation

    def read32(self, offset: int) -> int:
        response, value, cycle = map(int, self._simulation.ask("r", offset))
        self._check("read", offset, response, cycle)
        return value

    def write32(self, offset: int, value: int) -> None:
        response, cycle = map(int, self._simulation.ask("w", offset, value))
        self._check("write", offset, response, cycle)

    def _check(self, what: str, offset: int, response: int, cycle: int) -> None:
        self._simulation.cycle = cycle
        if response:
            raise BusError(
                f"Register {what} at offset 0x{offset:x} was answered with "
                f"{_RESPONSES.get(response, response)}"
            )

    def now(self) -> float:
        return self._simulation.cycle / self._simulation.hertz

    def idle(self, seconds: float) -> None:
        self._simulation.run(max(1, round(seconds * self._simulation.hertz)))


class _Memory(RegionMemory):
    def __init__(self, simulation: Simulation, base: int, size: int):
        self._simulation = simulation
        super().__init__(base, size)

    def read(self, address: int, count: int) -> bytes:
        self.check(address, count)
        return self._simulation.ask_bytes("peek", address, count)

    def write(self, address: int, data: bytes) -> None:
        self.check(address, len(data))
        self._simulation.ask("poke", address, len(data), data=bytes(data))


class _Streams(StreamPort):
    """The bench's streams; bytes arrive as long as time passes."""

    _LIMIT = 100_000
    """Cycles the last bytes of a mask may take."""

    def __init__(self, simulation: Simulation):
        self._simulation = simulation
        self._expected = 0

    def send(self, data: bytes) -> None:
        self._simulation.ask("send", len(data), data=bytes(data))

    def expect(self, count: int) -> None:
        self._expected = count
        self._simulation.ask("expect", count)

    def receive(self) -> bytes:
        data, start = b"", self._simulation.cycle
        while True:
            data += self._simulation.ask_bytes("take")
            if len(data) >= self._expected or self._simulation.cycle - start > self._LIMIT:
                break
            self._simulation.run(100)
        if len(data) != self._expected:
            raise BusError(f"Of {self._expected} bytes of the mask, {len(data)} came")
        return data

    def reset(self) -> None:
        self._simulation.ask("drop")


class _Interrupt(Interrupt):
    def __init__(self, simulation: Simulation):
        self._simulation = simulation

    def wait(self, seconds: float) -> bool:
        cycles = max(1, min(_CYCLES, round(seconds * self._simulation.hertz)))
        came, self._simulation.cycle = map(int, self._simulation.ask("wait", cycles))
        return bool(came)
