"""What is known of a point, put together from its measurements."""

from ..synth import find_target
from .accuracy import Dice
from .energy import EnergyModel, Work
from .point import Point

__all__ = ["area_unit", "extrapolate", "make_record"]


def make_record(
    point: Point, plan: dict, synthesis: dict[int, dict], dice: Dice | None
) -> dict:
    """All figures of ``point``, JSON types only.

    Parameters
    ----------
    plan : result of its :class:`.jobs.PlanJob`.
    synthesis : output lanes -> result of the :class:`.jobs.SynthesisJob` of that many.
    dice : where it comes to a dice at all.
    """
    target = find_target(point.target)
    classes = extrapolate({n: entry["classes"] for n, entry in synthesis.items()}, point.pout)
    cells = extrapolate({n: entry["cells"] for n, entry in synthesis.items()}, point.pout)
    work = Work.from_json(plan["work"])
    if point.scope == "array":
        work = work.arithmetic()
    energy = EnergyModel().compute(work)
    area = classes["NAND2"] if "NAND2" in classes else target.logic_luts(classes)
    return {
        "name": point.name,
        "point": point.to_json(),
        "operands": point.operands.title,
        "lanes": point.lanes,
        "basis": _basis(point, sorted(synthesis)),
        "area": area,
        "area_unit": area_unit(point.target),
        "area_per_mac": round(area / plan["macs_per_cycle"], 3),
        "classes": classes,
        "cells": cells,
        "cycles": plan["cycles"],
        "macs": plan["macs"],
        "macs_per_cycle": plan["macs_per_cycle"],
        "utilization": plan["utilization"],
        "memory_bits": sum(plan["memory_bits"].values()),
        "energy_nj": {name: round(pj / 1000, 3) for name, pj in energy.items()},
        "energy_total_nj": round(sum(energy.values()) / 1000, 3),
        "dice": None if dice is None else dice.to_json(),
    }


def area_unit(target: str) -> str:
    """What the areas of ``target`` count."""
    return "NAND2" if "NAND2" in find_target(target).rules.classes else "LUT"


def extrapolate(counts: dict[int, dict[str, float]], lanes: int) -> dict[str, float]:
    """Counts at ``lanes``, on the line through those measured at one or two numbers of lanes."""
    sizes = sorted(counts)
    first, last = counts[sizes[0]], counts[sizes[-1]]
    if len(sizes) == 1:
        return dict(first)
    steps = (lanes - sizes[-1]) / (sizes[-1] - sizes[0])
    names = sorted(first | last)
    line = {}
    for name in names:
        low, high = first.get(name, 0), last.get(name, 0)
        value = max(0, high + steps * (high - low))
        line[name] = round(value) if value == round(value) else round(value, 3)
    return line


def _basis(point: Point, sizes: list[int]) -> str:
    """How the size came about, in words."""
    if sizes == [point.pout]:
        return "synthesized whole"
    measured = " and ".join(map(str, sizes))
    return (
        f"synthesized at {measured} output lanes; {point.pout} by their difference, lanes being "
        "alike"
    )
