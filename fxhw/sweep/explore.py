"""A design for a budget, picked from the results of a sweep.

Operands and style are those measured; lanes other than those measured are estimated: an array by
its area per multiplier, the rest of the accelerator along the line that accelerators of several
lanes give, memory blocks by the shapes of the memories, and cycles by the planner.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from math import ceil

from ..errors import FxhwError
from ..graph import Network
from ..plan import Plan
from ..synth import Target, find_target
from .jobs import plan_accelerator
from .memories import block_rams
from .operands import Operands
from .point import Point
from .stand_in import give_operands

__all__ = ["Budget", "Candidate", "Choice", "choose", "list_candidates", "planner"]

LANES = (1, 2, 4, 8, 16)
"""Channels in and out per cycle that are considered."""

_ROOM = 1.1
"""How much faster than its scaled cycles say a design may be, before it is planned."""

_MEMORIES = ("large RAM", "memory bits")
"""What holds memories beside block RAM."""

_LOOKED_AT = 8
"""Designs that are planned to find the one nearest to a budget out of reach."""

_ALIKE = 0.98
"""Share of the best speed that counts as the best; the smallest of those is picked."""


@dataclass(frozen=True)
class Budget:
    """What a design must keep to.

    Parameters
    ----------
    target : the part, or a family without any limit of its own.
    min_dice : least dice in percent.
    max_luts : most places of look-up tables, carry cells and LUT RAM included.
    min_fps : least frames per second.
    clock_mhz : clock they are counted at.
    fill : share of the part's look-up tables that a design may take, so that it can be routed.
    """

    target: Target
    min_dice: float
    max_luts: float | None = None
    min_fps: float | None = None
    clock_mhz: float = 100.0
    fill: float = 0.8

    @property
    def limits(self) -> dict[str, float]:
        """Most of each resource, those the part or the user limits."""
        limits = dict(self.target.capacity or {})
        if "LUT" in limits:
            limits["LUT"] *= self.fill
        if self.max_luts is not None:
            limits["LUT"] = min(self.max_luts, limits.get("LUT", self.max_luts))
        return limits

    def __str__(self):
        wants = [f"dice {self.min_dice:g}"]
        if self.max_luts is not None:
            wants.append(f"at most {self.max_luts:,.0f} LUT")
        if self.min_fps is not None:
            wants.append(f"{self.min_fps:g} frames/s at {self.clock_mhz:g} MHz")
        return ", ".join(wants)


@dataclass(frozen=True)
class Candidate:
    """A design with its resources, measured or estimated.

    Parameters
    ----------
    operands, style, pin, pout, pixels : the design.
    dice : as of :meth:`.accuracy.Dice.to_json`.
    used : resources by class, look-up tables with all that lies in their places; of an estimate
        without memory blocks, until it is planned.
    cycles : per image; of an estimate those measured at other lanes, scaled, until it is planned.
    measured : (pin, pout, memory blocks) of the design that was synthesized.
    basis : how ``used`` came about, in words; empty where it was synthesized as it stands.
    """

    operands: Operands
    style: str
    pin: int
    pout: int
    pixels: int
    dice: dict = field(hash=False)
    used: dict[str, float] = field(hash=False)
    cycles: float
    measured: tuple[int, int, float]
    basis: str = ""

    @property
    def score(self) -> float:
        """Dice of the foreground in percent."""
        return self.dice["foreground"]

    @property
    def lanes(self) -> str:
        """``8x8``, of two pixels ``8x4x2``; as of :class:`.point.Point`."""
        return f"{self.pin}x{self.pout}" + (f"x{self.pixels}" if self.pixels > 1 else "")

    @property
    def macs_per_cycle(self) -> int:
        """Multipliers of the main array."""
        return 9 * self.pin * self.pout * self.pixels

    @property
    def luts(self) -> float:
        """Places of look-up tables."""
        return self.used["LUT"]

    def __str__(self):
        return f"{self.operands.name} {self.style} {self.lanes}"


@dataclass(frozen=True)
class Choice:
    """What was picked.

    Parameters
    ----------
    candidate : the design, planned.
    reasons : sentences.
    """

    candidate: Candidate
    reasons: tuple[str, ...]


def choose(
    candidates: list[Candidate], budget: Budget, plan: Callable[[Candidate], Candidate]
) -> Choice:
    """The smallest design that is fast enough; without a least speed, the fastest that fits.

    Parameters
    ----------
    plan : completes a candidate, as :func:`planner`; it is asked for as few as possible.

    Raises
    ------
    FxhwError if none keeps to the budget, naming the one that comes nearest.
    """
    able = [c for c in candidates if c.score >= budget.min_dice and _excess(c, budget) == 0]
    find = _find_fastest if budget.min_fps is None else _find_smallest
    chosen = find(able, budget, plan)
    if chosen is None:
        raise FxhwError(_unreachable(candidates, budget, plan))
    return Choice(chosen, _reasons(chosen, candidates, budget))


def _find_smallest(able, budget, plan) -> Candidate | None:
    ordered = sorted(able, key=lambda c: (c.luts, -c.score, str(c)))
    may_do = [c for c in ordered if _fps(c, budget) * _ROOM >= budget.min_fps]
    for candidate in _plan_fitting(may_do, budget, plan):
        if _fps(candidate, budget) >= budget.min_fps:
            return candidate
    return None


def _find_fastest(able, budget, plan) -> Candidate | None:
    planned, best = [], 0.0
    ordered = sorted(able, key=lambda c: (c.cycles, c.luts, str(c)))
    may_do = (c for c in ordered if _fps(c, budget) * _ROOM >= _ALIKE * best)
    for candidate in _plan_fitting(may_do, budget, plan):
        planned.append(candidate)
        best = max(best, _fps(candidate, budget))
    fast = [c for c in planned if _fps(c, budget) >= _ALIKE * best]
    return min(fast, key=lambda c: (c.luts, c.cycles, -c.score, str(c)), default=None)


def _plan_fitting(candidates, budget, plan) -> Iterator[Candidate]:
    """Those of ``candidates`` that fit with their memories too, planned.

    Memories grow with the bits, so what is wider than one that did not fit is not planned.
    """
    too_large = []
    for candidate in candidates:
        if any(
            candidate.lanes == c.lanes and _is_wider(candidate.operands, c.operands)
            for c in too_large
        ):
            continue
        candidate = plan(candidate)
        if _excess(candidate, budget) == 0:
            yield candidate
        else:
            too_large.append(candidate)


def _is_wider(one: Operands, other: Operands) -> bool:
    """Whether ``one`` has at least as many bits of the same kinds as ``other``."""
    kinds = [(o.weights, o.activations) for o in (one, other)]
    return kinds[0] == kinds[1] and one.wbits >= other.wbits and one.abits >= other.abits


def planner(network: Network | None, target: Target) -> Callable[[Candidate], Candidate]:
    """What completes a candidate: its cycles as planned, its memory blocks by their shapes.

    Parameters
    ----------
    network : of the results; None leaves cycles scaled and memory blocks as measured.
    """

    @cache
    def with_operands(operands: Operands) -> Network:
        return give_operands(network, operands)

    @cache
    def planned(style: str, pin: int, pout: int, pixels: int, o: Operands) -> Plan:
        point = Point(
            target.name, "accelerator", style, pin, pout, o.wbits, o.abits, o.weights,
            o.activations, pixels,
        )
        return plan_accelerator(with_operands(o), point)

    def complete(c: Candidate) -> Candidate:
        blocks = c.measured[2]
        if network is None:
            return replace(c, used={"block RAM": blocks} | c.used)
        plan = planned(c.style, c.pin, c.pout, c.pixels, c.operands)
        if c.basis and blocks:
            there = planned(c.style, *c.measured[:2], c.pixels, c.operands)
            family = target.family
            blocks *= block_rams(plan.design, family) / block_rams(there.design, family)
        return replace(
            c, used={"block RAM": ceil(blocks)} | c.used, cycles=plan.estimate.total
        )

    return complete


def list_candidates(results: dict, target: Target) -> list[Candidate]:
    """Every design that the results say enough of for ``target``.

    Raises
    ------
    FxhwError if that is none.
    """
    family = target.family
    records = [r for r in results["points"] if find_target(r["point"]["target"]).family == family]
    arrays = {_key(r): r for r in records if r["point"]["scope"] == "array"}
    whole = {_key(r): r for r in records if r["point"]["scope"] == "accelerator" and r["dice"]}
    growth = _growth(arrays, whole)
    candidates = []
    for key, record in whole.items():
        point = record["point"]
        if _is_nearest(key, whole):
            for pin, pout in product(LANES, LANES):
                exact = whole.get((*key[:3], pin, pout))
                # What share of a mixed array is in multiplier blocks changes with its size.
                if exact is None and key in arrays and point["style"] != "mixed":
                    used, basis = _estimate(target, record, arrays[key], growth, pin, pout)
                    candidates.append(_candidate(record, pin, pout, used, basis))
        used = _used(target, record["classes"])
        candidates.append(_candidate(record, point["pin"], point["pout"], used))
    if not candidates:
        raise FxhwError(
            f"The results have no accelerator of family {family} with a dice; measure some: "
            f"fxhw sweep --targets {target.name}"
        )
    return candidates


def _key(record: dict) -> tuple:
    p = Point(**record["point"])
    return p.operands, p.style, p.pixels, p.pin, p.pout


def _is_nearest(key: tuple, whole: dict) -> bool:
    """Whether of all lanes measured of these operands and style, ``key`` has the most."""
    return key == max((k for k in whole if k[:3] == key[:3]), key=lambda k: (k[3] * k[4], k))


def _growth(arrays: dict, whole: dict) -> Callable[[int, int], float]:
    """How the rest of an accelerator, all but its array, grows with its lanes.

    Returns
    -------
    a function of pin and pout; of the measured ones, those widths that have most lanes give its
    line in pin + pout.  With one pair of lanes alone, the rest stays as it is at fewer lanes, and
    is taken to grow in proportion at more: more than it does, either way.
    """
    rests: dict[tuple, dict[int, float]] = {}
    for key in sorted(whole.keys() & arrays.keys()):
        rest = whole[key]["area"] - arrays[key]["area"]
        rests.setdefault(key[:3], {})[key[3] + key[4]] = rest
    line = max(rests.values(), key=len, default={})
    if len(line) < 2:
        lanes = max(line, default=16)
        return lambda pin, pout: max(1.0, (pin + pout) / lanes)
    low, high = min(line), max(line)
    slope = (line[high] - line[low]) / (high - low)
    return lambda pin, pout: max(0.1, (line[low] + slope * (pin + pout - low)) / line[high])


def _estimate(target, record, array, growth, pin, pout):
    """Resources at other lanes than ``record`` and its ``array`` were measured at."""
    point = record["point"]
    times = pin * pout / (point["pin"] * point["pout"])
    more = growth(pin, pout) / growth(point["pin"], point["pout"])
    classes = {}
    for kind, count in record["classes"].items():
        part = min(array["classes"].get(kind, 0), count)
        # Memories hold as many bits at any number of lanes.
        classes[kind] = count if kind in _MEMORIES else part * times + (count - part) * more
    basis = (
        f"estimated from {point['pin']}x{point['pout']} lanes: the array in proportion to its "
        f"multipliers, the rest times {more:.2f}"
    )
    used = _used(target, classes)
    used.pop("block RAM", None)
    return used, basis


def _used(target: Target, classes: dict) -> dict[str, float]:
    if "NAND2" in classes:
        return {"LUT": classes["NAND2"]} | classes
    return classes | {"LUT": target.logic_luts(classes) + classes.get("LUT RAM", 0)}


def _candidate(record: dict, pin: int, pout: int, used: dict, basis: str = "") -> Candidate:
    point = record["point"]
    return Candidate(
        operands=Point(**point).operands,
        style=point["style"],
        pin=pin,
        pout=pout,
        pixels=point["pixels"],
        dice=record["dice"],
        used=used,
        cycles=record["cycles"] * point["pin"] * point["pout"] / (pin * pout),
        measured=(point["pin"], point["pout"], record["classes"].get("block RAM", 0)),
        basis=basis,
    )


def _fps(candidate: Candidate, budget: Budget) -> float:
    return budget.clock_mhz * 1e6 / candidate.cycles


def _excess(candidate: Candidate, budget: Budget) -> float:
    """By how much, as a share, it exceeds what it exceeds most; 0 if it fits."""
    return max(
        (
            max(0.0, candidate.used.get(kind, 0) / limit - 1) if limit else
            float(candidate.used.get(kind, 0) > 0)
            for kind, limit in budget.limits.items()
        ),
        default=0.0,
    )


def _unreachable(candidates, budget, plan) -> str:
    """The sentence that names what comes nearest.

    Of the designs that are good enough, or else of the best, the one that misses the other limits
    by the least, added as shares.
    """

    def distance(candidate):
        slow = 0.0
        if budget.min_fps is not None:
            slow = max(0.0, budget.min_fps / _fps(candidate, budget) - 1)
        return _excess(candidate, budget) + slow, candidate.luts, str(candidate)

    enough = min(budget.min_dice, max(c.score for c in candidates))
    # Planning all would take minutes; those that look nearest are looked at closely.
    some = sorted((c for c in candidates if c.score >= enough), key=distance)[:_LOOKED_AT]
    near = min(map(plan, some), key=distance)
    return (
        f"No design of the results reaches {budget} on {budget.target.name} (at most "
        + ", ".join(f"{limit:,.0f} {kind}" for kind, limit in budget.limits.items())
        + f"); the nearest is {near} with dice {near.score:.2f}, {_takes(near, budget)} and "
        f"{_fps(near, budget):,.1f} frames/s"
    )


def _takes(candidate: Candidate, budget: Budget) -> str:
    """Its look-up tables, and what it takes too much of besides."""
    over = [
        f"{candidate.used.get(kind, 0):,.0f} {kind}"
        for kind, limit in budget.limits.items()
        if candidate.used.get(kind, 0) > limit and kind != "LUT"
    ]
    return ", ".join([f"{candidate.luts:,.0f} LUT", *over])


def _reasons(chosen: Candidate, candidates, budget: Budget) -> tuple[str, ...]:
    """Why: widths, style, lanes."""
    alike = [c for c in candidates if c.lanes == chosen.lanes]
    reasons = [_why_widths(chosen, alike, budget)]
    others = {
        c.style: c for c in alike
        if c.operands == chosen.operands and c.style != chosen.style
    }
    for style, other in sorted(others.items()):
        blocks = f" and {other.used['DSP']:,.0f} DSP" if other.used.get("DSP") else ""
        reasons.append(f"Style {style} would take {other.luts:,.0f} LUT{blocks}.")
    fps = _fps(chosen, budget)
    share = f" of {budget.limits['LUT']:,.0f}" if "LUT" in budget.limits else ""
    if budget.min_fps is not None:
        reasons.append(
            f"{chosen.lanes} lanes are the least area that reaches "
            f"{budget.min_fps:g} frames/s: {fps:,.1f} with {chosen.luts:,.0f}{share} LUT."
        )
    else:
        reasons.append(
            f"{chosen.lanes} lanes are the fastest that fit: {fps:,.1f} frames/s with "
            f"{chosen.luts:,.0f}{share} LUT."
        )
        more = [
            c for c in candidates
            if (c.operands, c.style, c.pixels) == (chosen.operands, chosen.style, chosen.pixels)
            and c.pin * c.pout > chosen.pin * chosen.pout
        ]
        if more:
            next_up = min(more, key=lambda c: (c.pin * c.pout, c.luts))
            reasons.append(
                f"{next_up.lanes} would take {_takes(next_up, budget)}."
            )
    return tuple(reasons)


def _why_widths(chosen: Candidate, alike, budget: Budget) -> str:
    text = f"{chosen.operands.name} has dice {chosen.score:.2f}"
    same = [c for c in alike if c.style == chosen.style]
    smaller = [c for c in same if c.luts < chosen.luts and c.score < budget.min_dice]
    larger = [c for c in same if c.luts > chosen.luts and c.score >= budget.min_dice]
    if smaller:
        best = max(smaller, key=lambda c: c.score)
        text += (
            f"; the best of what is smaller, {best.operands.name} with {best.luts:,.0f} LUT, "
            f"has {best.score:.2f}"
        )
    if larger:
        text += (
            f"; {len(larger)} other widths reach {budget.min_dice:g} too, all larger at these "
            "lanes"
        )
    return text + "."
