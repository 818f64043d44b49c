"""Compares what the accelerator showed with the golden model, tensor by tensor."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..fixed import FixedFormat
from ..golden import run_network
from ..graph import TensorInfo
from ..plan import Plan
from ..plan.memory_map import Region
from .jobs import Job
from .traces import UNKNOWN, Records, Trace, no_words, read_mask, read_words

__all__ = ["Check", "Mismatch", "Verdict", "check_job", "check_records"]


@dataclass(frozen=True)
class Mismatch:
    """One wrong value.

    Parameters
    ----------
    what : tensor and where it was seen.
    row, column, channel : where in the tensor.
    expected : code.
    got : code; None for a value that never came, or was not known.
    cycle : when it was seen, in cycles of the bench.
    unknown : whether a simulator showed X or Z.
    """

    what: str
    row: int
    column: int
    channel: int
    expected: int
    got: int | None
    cycle: int
    unknown: bool = False

    def __str__(self) -> str:
        if self.unknown:
            got = "an unknown value (X)"
        elif self.got is None:
            got = "nothing"
        else:
            got = str(self.got)
        return (
            f"{self.what}, row {self.row}, column {self.column}, channel {self.channel}: "
            f"expected {self.expected}, got {got}"
        )


@dataclass(frozen=True)
class Check:
    """One tensor compared at one place.

    Parameters
    ----------
    layer : layer or tensor name.
    place : ``stream`` as it was computed, ``memory`` as it was written, ``mask``.
    step : index of the step in the schedule; -1 for the first convolution.
    shape : (height, width, channels) of what was compared.
    compared : values expected.
    mismatches : of these, wrong or missing, plus values nobody expected.
    first : the first wrong one in raster order, or None.
    note : what is wrong beyond values, in words; empty if nothing.
    """

    layer: str
    place: str
    step: int
    shape: tuple[int, int, int]
    compared: int
    mismatches: int
    first: Mismatch | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Verdict:
    """All checks of a run, in the order of computation, and the mask it gave.

    Parameters
    ----------
    checks : the comparisons.
    mask : bool (height, width), false where nothing came; None when logits were asked for.
    golden_mask : bool (height, width).
    """

    checks: tuple[Check, ...]
    mask: np.ndarray | None
    golden_mask: np.ndarray

    @property
    def first(self) -> Check | None:
        """The first check that failed."""
        return next((check for check in self.checks if check.mismatches), None)


def check_job(job: Job, plan: Plan, folder: Path) -> Verdict:
    """Compare the records of the bench in Verilog, in ``folder``, with the golden model."""
    design = plan.design
    records = Records(
        read_words(folder / "front.txt", design.pin, design.abits),
        read_words(folder / "out.txt", design.pout, design.abits),
        read_mask(folder / "mask.txt"),
        read_words(folder / "write.txt", design.pin, design.abits, addressed=True),
    )
    return check_records(job, plan, records)


def check_records(job: Job, plan: Plan, records: Records) -> Verdict:
    """Compare ``records`` with the golden model's tensors."""
    mask, tensors = run_network(job.network, job.image, keep=True)
    design, schedule = plan.design, plan.schedule
    results, writes = records.results, records.writes
    form = design.activation
    checks = _check_front(plan, tensors[schedule.front.output], records.front)
    for index, (step, at) in enumerate(zip(schedule.steps, plan.places)):
        channels = slice(step.first_channel, step.first_channel + step.channels)
        golden = tensors[step.out.name][:, slice(*step.strip), channels]
        seen = results.of_step(at)
        place = "stream", "as computed", step.first_channel, step.first_column
        checks.append(
            _check_words(step.conv.name, index, golden, form, design.pout, seen, *place)
        )
        for info, columns in step.stored if writes is None else ():
            golden = tensors[info.name][:, columns, channels]
            seen = records.stored.get((index, info.name), no_words(design.pin))
            place = "memory", "in external memory", step.first_channel, columns.start
            checks.append(_check_words(info.name, index, golden, form, design.pin, seen, *place))
        if step.stored and writes is not None:
            checks += _check_writes(
                index, step, [info for info, _ in step.stored], tensors, plan.memory_map.regions,
                form, design.pin, writes.of_step(at),
            )  # fmt: skip
    checks += _check_strays(plan, results, writes)
    logits = tensors[schedule.head.output][:, :, 0]
    given = records.mask
    name = schedule.head.name
    if job.logits:
        checks.append(_check_bytes(name, _logit_bytes(logits, design.logit_bytes), given))
        return Verdict(tuple(checks), None, mask)
    expected = np.where(mask, 255, 0).astype(np.int64)
    checks.append(_check_bytes(name, expected[:, :, None], given))
    got = np.zeros(mask.size, bool)
    count = min(mask.size, len(given[2]))
    got[:count] = given[2][:count] == 255
    return Verdict(tuple(checks), got.reshape(mask.shape), mask)


def _check_front(plan: Plan, golden: np.ndarray, seen: Trace) -> list[Check]:
    """The first convolution's words: all that there are, or those of each step that takes them."""
    schedule, design = plan.schedule, plan.design
    steps = [(at, step) for at, step in zip(plan.places, schedule.steps) if not step.sources]
    checks = []
    for at, step in steps:
        first, end = step.raster
        words = seen.of_step(at) if len(steps) > 1 else seen
        checks.append(
            _check_words(
                schedule.front.name, -1, golden[:, first:end], design.activation, design.pin,
                words, first_column=first,
            )  # fmt: skip
        )
    stray = int((~np.isin(seen.step, [at for at, _ in steps])).sum())
    if len(steps) > 1 and stray:
        note = f"{stray} words while no step took them"
        none = (0, 0, 0)
        checks.append(Check(schedule.front.name, "stream", -1, none, 0, stray, None, note))
    return checks


def _logit_bytes(logits: np.ndarray, size: int) -> np.ndarray:
    """(height, width, size) little-endian bytes of sign-extended logits."""
    shifts = 8 * np.arange(size, dtype=np.int64)
    return (logits.astype(np.int64)[:, :, None] >> shifts) & 255


def _pad(codes: np.ndarray, lanes: int, form: FixedFormat) -> np.ndarray:
    """Stored patterns (height, width, groups, lanes) of codes; channels beyond theirs are 0."""
    height, width, channels = codes.shape
    groups = -(-channels // lanes)
    padded = np.zeros((height, width, groups * lanes), np.int64)
    padded[:, :, :channels] = form.encode(codes)
    return padded.reshape(height, width, groups, lanes)


def _mismatch(what, row, column, channel, form, expected, got, cycle) -> Mismatch:
    """Of stored patterns ``expected`` and ``got``; None if none came."""
    code = None if got in (None, UNKNOWN) else int(form.decode(got))
    return Mismatch(
        what, row, column, channel, int(form.decode(expected)), code, cycle, got == UNKNOWN
    )


def _check_words(
    name: str,
    step: int,
    golden: np.ndarray,
    form: FixedFormat,
    lanes: int,
    seen: Trace,
    place: str = "stream",
    what: str = "as computed",
    first_channel: int = 0,
    first_column: int = 0,
) -> Check:
    """Words in raster order, groups fastest; ``first_channel`` and ``first_column`` of the tensor
    are the first here."""
    expected = _pad(golden, lanes, form)
    height, width, groups, _ = expected.shape
    expected = expected.reshape(-1, lanes)
    count = min(len(expected), len(seen.codes))
    wrong = np.ones(expected.shape, bool)
    wrong[:count] = seen.codes[:count] != expected[:count]
    extra = len(seen.codes) - count
    note = f"{extra} words too many" if extra else ""
    if count < len(expected):
        note = f"{len(expected) - count} of {len(expected)} words missing"
    first = None
    if wrong.any():
        word, lane = (int(n) for n in np.argwhere(wrong)[0])
        pixel, group = divmod(word, groups)
        row, column = divmod(pixel, width)
        first = _mismatch(
            f"{name} {what}",
            row,
            first_column + column,
            first_channel + group * lanes + lane,
            form,
            int(expected[word, lane]),
            int(seen.codes[word, lane]) if word < count else None,
            int(seen.cycle[min(word, len(seen.cycle) - 1)]) if len(seen.cycle) else 0,
        )
    mismatches = int(wrong.sum()) + extra * lanes
    return Check(name, place, step, golden.shape, golden.size, mismatches, first, note)


def _check_writes(
    index: int,
    step,
    stored: list[TensorInfo],
    tensors: dict[str, np.ndarray],
    regions: dict[str, Region],
    form: FixedFormat,
    lanes: int,
    seen: Trace,
) -> list[Check]:
    """Every word of the step's results in the feature memory, written exactly once."""
    checks = []
    last_write = np.unique(seen.address[::-1], return_index=True)
    order = len(seen.address) - 1 - last_write[1]  # of several writes the last one stands
    repeated = len(seen.address) - len(order)
    claimed = np.zeros(len(order), bool)
    for info in stored:
        channels = slice(step.first_channel, step.first_channel + step.channels)
        golden = tensors[info.name][:, :, channels]
        expected = _pad(golden, lanes, form)
        height, width, groups, _ = expected.shape
        region = regions[info.name]
        pixels = np.arange(height * width)[:, None] * region.groups
        offset = step.first_channel // lanes
        addresses = (region.base + offset + pixels + np.arange(groups)).reshape(-1)
        expected = expected.reshape(-1, lanes)
        slot = np.searchsorted(last_write[0], addresses)
        found = np.zeros(len(addresses), bool)
        inside = slot < len(order)
        found[inside] = last_write[0][slot[inside]] == addresses[inside]
        claimed[slot[found]] = True
        got = np.zeros_like(expected)
        cycles = np.zeros(len(addresses), np.int64)
        got[found] = seen.codes[order[slot[found]]]
        cycles[found] = seen.cycle[order[slot[found]]]
        wrong = (got != expected) | ~found[:, None]
        missing = int((~found).sum())
        note = f"{missing} of {len(addresses)} words never written" if missing else ""
        first = None
        if wrong.any():
            word, lane = (int(n) for n in np.argwhere(wrong)[0])
            row, column = divmod(word // groups, width)
            late = int(seen.cycle[-1]) if len(seen.cycle) else 0
            first = _mismatch(
                f"{info.name} in the feature memory, address {addresses[word]}",
                row,
                column,
                step.first_channel + word % groups * lanes + lane,
                form,
                int(expected[word, lane]),
                int(got[word, lane]) if found[word] else None,
                int(cycles[word]) if found[word] else late,
            )
        checks.append(
            Check(
                info.name, "memory", index, golden.shape, golden.size, int(wrong.sum()), first, note
            )
        )
    stray = int((~claimed).sum())
    if stray or repeated:
        note = f"{stray} words written where nothing belongs, {repeated} written more than once"
        words = (stray + repeated) * lanes
        checks.append(Check(step.conv.name, "memory", index, (0, 0, 0), 0, words, None, note))
    return checks


def _check_strays(plan: Plan, results: Trace, writes: Trace | None) -> list[Check]:
    """Words seen while no step of the program was running."""
    checks, steps = [], len(plan.places)
    for what, trace in (("stream", results), ("memory", writes)):
        if trace is None:
            continue
        stray = int((~np.isin(trace.step, plan.places)).sum())
        if stray:
            note = f"{stray} words outside any step"
            checks.append(Check("(no layer)", what, steps, (0, 0, 0), 0, stray, None, note))
    return checks


def _check_bytes(name: str, expected: np.ndarray, given) -> Check:
    """The mask's bytes and their TLAST."""
    cycle, last, data = given
    shape = expected.shape
    flat = expected.reshape(-1)
    count = min(len(flat), len(data))
    wrong = np.ones(len(flat), bool)
    wrong[:count] = data[:count] != flat[:count]
    extra = len(data) - count
    notes = [f"{extra} bytes too many"] if extra else []
    if count < len(flat):
        notes.append(f"{len(flat) - count} of {len(flat)} bytes missing")
    ends = np.zeros(len(data), np.int64)
    if len(data) >= len(flat):
        ends[len(flat) - 1] = 1
    bad_last = int((last != ends).sum())
    if bad_last:
        notes.append(f"TLAST wrong on {bad_last} bytes")
    first = None
    if wrong.any():
        index = int(np.flatnonzero(wrong)[0])
        row, column, channel = (int(n) for n in np.unravel_index(index, shape))
        first = Mismatch(
            "the mask",
            row,
            column,
            channel,
            int(flat[index]),
            int(data[index]) if index < count else None,
            int(cycle[min(index, len(cycle) - 1)]) if len(cycle) else 0,
        )
    mismatches = int(wrong.sum()) + extra + bad_last
    return Check(name, "mask", 1 << 30, shape, len(flat), mismatches, first, ", ".join(notes))
