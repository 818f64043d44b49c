"""A run's result as a table for readers."""

from ..emit.manifest import step_cycles, step_macs, utilization
from .simulate import Result

__all__ = ["layer_rows"]


def layer_rows(result: Result) -> list[tuple[str, ...]]:
    """A row per tensor; the first row is the header.

    A tensor that was seen both as it was computed and as it was written counts twice as many
    codes.
    """
    rows = [("layer", "shape", "compared", "wrong", "cycles", "estimate", "utilization")]
    design, steps = result.plan.design, result.plan.schedule.steps
    macs, estimates = step_macs(result.plan), step_cycles(result.plan)
    merged: dict[tuple[str, int], list] = {}
    for check in result.verdict.checks:
        entry = merged.setdefault((check.layer, check.step), [check.shape, 0, 0, check.place])
        entry[1] += check.compared
        entry[2] += check.mismatches
    for (layer, index), (shape, compared, wrong, place) in merged.items():
        cycles = estimate = share = ""
        name = layer
        if place == "stream" and 0 <= index < len(steps):
            step = steps[index]
            if step.channels != step.conv.out_channels:
                last = step.first_channel + step.channels - 1
                name = f"{layer} [{step.first_channel} .. {last}]"
            measured = result.step_cycles[index]
            cycles, estimate = f"{measured:,}", f"{estimates[index]:,}"
            used = utilization(macs[index], measured, design.macs_per_cycle)
            share = f"{used:.1%}" if used else ""
        rows.append(
            (
                name,
                "x".join(map(str, shape)),
                f"{compared:,}",
                f"{wrong:,}",
                cycles,
                estimate,
                share,
            )
        )
    return rows
