"""What one run of a generated accelerator did, in a simulator."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..plan import ErrorCode, Plan
from ..plan.cycles import utilization
from ..plan.registers import ERROR_TEXT, Cause, Status
from .jobs import Job
from .scoreboard import Verdict

__all__ = ["BusUse", "Result", "cycles_of_steps"]


@dataclass(frozen=True)
class BusUse:
    """What a run asked of external memory.

    Parameters
    ----------
    first_request, last_write : cycles of the first address and of the last written beat.
    read_bytes, write_bytes : in all, whole beats read, strobed bytes written.
    steps : (read, written) bytes from each step's start to the next one's, the last one's to the
        end; program and parameters of the step behind count here too.
    """

    first_request: int
    last_write: int
    read_bytes: int
    write_bytes: int
    steps: tuple[tuple[int, int], ...]

    @property
    def cycles(self) -> int:
        """Cycles from the first request to the last write; 0 if there was none."""
        return self.last_write - self.first_request + 1 if self.last_write else 0


@dataclass(frozen=True, eq=False)
class Result:
    """What one run did.

    Parameters
    ----------
    job, plan : what was run.
    finished : whether the interrupt came in time.
    registers : register name -> value after the run.
    verdict : every comparison with the golden model.
    step_cycles : cycles from each step's start to the next one's, the last to its end.
    waves : waveform file around the first mismatch, or None.
    bus : what was asked of external memory, or None.
    complaints : what the bench found wrong on buses and streams, in sentences.
    """

    job: Job
    plan: Plan
    finished: bool
    registers: dict[str, int]
    verdict: Verdict
    step_cycles: tuple[int, ...]
    waves: Path | None = None
    bus: BusUse | None = None
    complaints: tuple[str, ...] = ()

    @property
    def cycles(self) -> int:
        """Cycles of the run, as the accelerator counts them."""
        return self.registers["CYCLES"]

    @property
    def causes(self) -> dict[str, int]:
        """Cycles by cause."""
        return {cause.name: self.registers[f"CYCLES_{cause.name}"] for cause in Cause}

    @property
    def error(self) -> ErrorCode | int:
        """The error register's code."""
        code = self.registers["ERROR"] & 0xFF
        return ErrorCode(code) if code in ErrorCode._value2member_map_ else code

    @property
    def utilization(self) -> float:
        """Useful MACs of the main array over cycles times its multipliers, as in the estimate."""
        return utilization(self.plan.estimate.macs, self.cycles, self.plan.design.macs_per_cycle)

    @property
    def problems(self) -> list[str]:
        """What is wrong, in sentences; empty if nothing is."""
        problems = []
        if not self.finished:
            step = (self.registers["STATUS"] >> 16) & 0xFFFF
            problems.append(
                f"The run did not end: STATUS 0x{self.registers['STATUS']:08x} (step {step}), "
                f"ERROR 0x{self.registers['ERROR']:08x}, {self.cycles} cycles counted, "
                f"{self.plan.estimate.total} estimated"
            )
        if self.error:
            step = self.registers["ERROR"] >> 16
            text = ERROR_TEXT.get(self.error, "unknown code")
            problems.append(f"The run ended with error {int(self.error)} at step {step}: {text}")
        elif self.finished and not self.registers["STATUS"] & Status.DONE:
            problems.append(f"STATUS is 0x{self.registers['STATUS']:08x}: DONE is not set")
        for check in self.verdict.checks:
            if check.mismatches:
                what = str(check.first) if check.first else f"{check.layer} ({check.place})"
                problems.append(what + (f"; {check.note}" if check.note else ""))
                break
        problems += self.complaints[:3]
        total = sum(self.causes.values())
        if total != self.cycles:
            problems.append(f"CYCLES is {self.cycles}, but its causes add up to {total}")
        return problems

    @property
    def passed(self) -> bool:
        """Whether the run ended well and every bit was right."""
        return not self.problems


def cycles_of_steps(events: np.ndarray, places: tuple[int, ...]) -> tuple[int, ...]:
    """Cycles from the start of each step of ``places`` to the next one's; 0 for a step that never
    began."""
    starts = []
    for step in places:
        found = events[(events[:, 1] == 1) & (events[:, 2] == step)]
        starts.append(int(found[0, 0]) if len(found) else None)
    idle = events[(events[:, 1] == 0) & (events[:, 0] > (starts[-1] or 1 << 62))]
    ends = [*starts[1:], int(idle[0, 0]) if len(idle) else None]
    return tuple(
        end - start if start is not None and end is not None else 0
        for start, end in zip(starts, ends)
    )
