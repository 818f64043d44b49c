"""A run's result layer by layer, for readers and as JSON."""

from dataclasses import asdict, dataclass

from ..emit.manifest import step_cycles
from ..plan.cycles import utilization
from .result import Result

__all__ = ["LayerResult", "layer_results", "summarize"]


@dataclass(frozen=True)
class LayerResult:
    """A layer or a tensor, all its tiles of output channels and strips of columns together.

    Parameters
    ----------
    name : layer or tensor.
    size : (height, width, channels).
    compared : codes compared; those seen both as they were computed and as they lay in memory
        count twice.
    wrong : of these.
    tiles : steps of the main array; 0 for what is not computed there, and then the following are
        0 too.
    cycles, estimate : from its start to the next one's, measured and estimated.
    utilization : useful MACs of the main array over cycles times its multipliers.
    read_bytes, write_bytes : moved over the memory's bus meanwhile; 0 on chip.
    """

    name: str
    size: tuple[int, int, int]
    compared: int
    wrong: int
    tiles: int
    cycles: int
    estimate: int
    utilization: float
    read_bytes: int
    write_bytes: int


def layer_results(result: Result) -> list[LayerResult]:
    """An entry per layer or tensor that was compared, in the order of computation."""
    sizes = _sizes(result)
    schedule, per_cycle = result.plan.schedule, result.plan.design.macs_per_cycle
    costs = list(zip(result.step_cycles, step_cycles(result.plan)))
    moved = result.bus.steps if result.bus else [(0, 0)] * len(costs)
    found: dict[str, list] = {}
    for check in result.verdict.checks:
        found.setdefault(check.layer, []).append(check)
    rows = []
    for name, checks in found.items():
        steps = [n for n, step in enumerate(schedule.steps) if step.conv.name == name]
        cycles, estimate = (sum(costs[n][part] for n in steps) for part in range(2))
        macs = sum(schedule.steps[n].macs for n in steps)
        rows.append(
            LayerResult(
                name=name,
                size=sizes.get(name, checks[0].shape),
                compared=sum(check.compared for check in checks),
                wrong=sum(check.mismatches for check in checks),
                tiles=len(steps),
                cycles=cycles,
                estimate=estimate,
                utilization=utilization(macs, cycles, per_cycle),
                # A run that broke off has moved nothing in the steps it did not reach.
                read_bytes=sum(moved[n][0] for n in steps if n < len(moved)),
                write_bytes=sum(moved[n][1] for n in steps if n < len(moved)),
            )
        )
    return rows


def _sizes(result: Result) -> dict[str, tuple[int, int, int]]:
    """(height, width, channels) of every tensor, by its name and by that of its convolution."""
    network = result.job.network
    tensors = {
        name: (info.height, info.width, info.channels) for name, info in network.tensors().items()
    }
    return tensors | {conv.name: tensors[conv.output] for conv in network.convs}


def summarize(result: Result) -> dict:
    """JSON types: the whole run, its layers, and what is wrong."""
    design, estimate = result.plan.design, result.plan.estimate
    entry = {
        "size": list(result.job.image.shape[:2]),
        "passed": result.passed,
        "problems": result.problems,
        "compared": sum(check.compared for check in result.verdict.checks),
        "macs": estimate.macs,
        "macs_per_cycle": design.macs_per_cycle,
        "cycles": result.cycles,
        "causes": result.causes,
        "estimate": estimate.total,
        "utilization": result.utilization,
        "layers": [asdict(layer) for layer in layer_results(result)],
    }
    if result.bus:
        entry["bus"] = {
            name: getattr(result.bus, name)
            for name in ("first_request", "last_write", "cycles", "read_bytes", "write_bytes")
        }
        entry["bus"]["utilization"] = utilization(
            estimate.macs, result.bus.cycles, design.macs_per_cycle
        )
    return entry
