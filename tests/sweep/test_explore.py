"""Picking a design: estimates, choices and their reasons, budgets out of reach."""

import random
from dataclasses import replace
from math import ceil

import pytest

from fxhw.errors import FxhwError
from fxhw.plan import design_for
from fxhw.sweep.explore import Budget, choose, list_candidates, planner
from fxhw.sweep.jobs import plan_point
from fxhw.sweep.memories import block_rams, list_memories
from fxhw.sweep.point import Point
from fxhw.synth import find_target
from tests.networks import random_network
from tests.sweep.tiny import tiny_record, tiny_results, tiny_setup

ECP5 = find_target("ecp5-85k")


def pair(wbits, abits, array, whole, dice, pin=8, pout=8, style="lut", cycles=1_000_000):
    """Records of an array and of its accelerator."""
    more = {"pin": pin, "pout": pout, "style": style, "cycles": cycles}
    return [
        tiny_record(wbits, abits, array, dice, **more),
        tiny_record(wbits, abits, whole, dice, scope="accelerator", block_ram=100, **more),
    ]


RESULTS = tiny_results([
    *pair(2, 4, 8_000, 18_000, 92.0),
    *pair(4, 6, 18_000, 29_000, 94.0),
    *pair(8, 8, 48_000, 60_000, 94.5),
    *pair(4, 6, 4_500, 12_500, 94.0, 4, 4, cycles=4_000_000),
    *pair(4, 6, 66_000, 76_000, 94.0, style="generic"),
])


def pick(results=RESULTS, part=ECP5, **budget):
    return choose(list_candidates(results, part), Budget(part, **budget), planner(None, part))


def candidate(*key, results=RESULTS):
    return next(
        c for c in list_candidates(results, ECP5)
        if (c.operands.wbits, c.operands.abits, c.style, c.pin, c.pout) == key
    )


def test_measured_lanes_are_taken_as_measured():
    found = candidate(4, 6, "lut", 4, 4)
    assert (found.luts, found.basis, found.cycles) == (12_500, "", 4_000_000)


def test_other_lanes_are_estimated():
    """The rest took 8,000 at 4x4 and 11,000 at 8x8: 375 a lane, here on 12,000 of another width."""
    found = candidate(8, 8, "lut", 4, 8)
    assert found.luts == pytest.approx(48_000 / 2 + 12_000 * (8_000 + 4 * 375) / 11_000)
    assert found.cycles == 2_000_000
    assert "block RAM" not in found.used
    assert planner(None, ECP5)(found).used["block RAM"] == 100
    assert found.basis.startswith("estimated from 8x8 lanes")


def test_one_pair_of_lanes_is_a_cautious_estimate():
    results = tiny_results(pair(2, 4, 8_000, 18_000, 92.0))
    assert candidate(2, 4, "lut", 2, 2, results=results).luts == 8_000 / 16 + 10_000
    assert candidate(2, 4, "lut", 16, 16, results=results).luts == 8_000 * 4 + 10_000 * 2


def test_the_fastest_that_fits():
    choice = pick(min_dice=93)
    assert str(choice.candidate) == "w4a6 lut 16x8"
    text = " ".join(choice.reasons)
    assert "w4a6 has dice 94.00" in text
    assert "w2a4 with" in text
    assert "92.00" in text
    assert "Style generic would take" in text
    assert "fastest that fit: 200.0 frames/s" in text
    assert "16x16 would take" in text


def test_the_smallest_that_is_fast_enough():
    choice = pick(min_dice=93, min_fps=25)
    assert str(choice.candidate) == "w4a6 lut 4x4"
    assert "least area that reaches 25 frames/s" in " ".join(choice.reasons)
    assert str(pick(min_dice=91, min_fps=25).candidate) == "w2a4 lut 4x4"


def test_a_limit_of_ones_own():
    assert pick(min_dice=93, max_luts=12_500).candidate.luts == 12_500
    assert pick(min_dice=93, max_luts=12_499).candidate.luts < 12_499


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"min_dice": 99}, r"reaches dice 99 on ecp5-85k .* nearest is w8a8 .* with dice 94\.50"),
        ({"min_dice": 93, "max_luts": 100}, r"at most 100 LUT.* nearest is w4a6 lut 1x1 with"),
        ({"min_dice": 93, "min_fps": 9999}, r"9999 frames/s at 100 MHz.* nearest is w\da\d lut "),
    ],
)
def test_out_of_reach(budget, message):
    with pytest.raises(FxhwError, match=message):
        pick(**budget)


def test_memories_count():
    results = tiny_results(pair(2, 4, 8_000, 18_000, 92.0))
    results["points"][1]["classes"]["block RAM"] = 300
    with pytest.raises(FxhwError, match="300 block RAM"):
        pick(results, min_dice=90)


def test_another_family_has_no_results():
    with pytest.raises(FxhwError, match="have no accelerator of family xc7 with a dice; measure"):
        list_candidates(RESULTS, find_target("xc7a100t"))


@pytest.mark.parametrize("seed", range(40))
def test_nothing_better_was_left(seed):
    """Against all candidates one by one."""
    rng = random.Random(seed)
    budget = Budget(
        ECP5, rng.choice([91, 93, 94.2]), rng.choice([None, 9_000, 20_000, 50_000]),
        rng.choice([None, 3, 40, 130]), clock_mhz=rng.choice([50, 100]),
    )
    candidates = list_candidates(RESULTS, ECP5)
    limit = min(0.8 * 83_640, budget.max_luts or 1e9)
    fits = [c for c in candidates if c.score >= budget.min_dice and c.luts <= limit]
    if budget.min_fps is not None:
        fits = [c for c in fits if budget.clock_mhz * 1e6 / c.cycles >= budget.min_fps]
    if not fits:
        with pytest.raises(FxhwError, match="No design of the results reaches"):
            choose(candidates, budget, planner(None, ECP5))
        return
    choice = choose(candidates, budget, planner(None, ECP5)).candidate
    assert str(choice) in map(str, fits)
    if budget.min_fps is None:
        fits = [c for c in fits if c.cycles * 0.98 <= min(c.cycles for c in fits)]
    assert choice.luts == min(c.luts for c in fits)


def test_cycles_and_memories_are_planned(tmp_path):
    setup = tiny_setup(tmp_path)
    complete = planner(setup.network, ECP5)
    found = candidate(8, 8, "lut", 1, 2)
    plan = plan_point(setup.network, Point("ecp5", "accelerator", "lut", 1, 2, 8, 8))[1]
    there = plan_point(setup.network, Point("ecp5", "accelerator", "lut", 8, 8, 8, 8))[1]
    planned = complete(found)
    assert planned.cycles == plan.estimate.total
    share = block_rams(plan.design, "ecp5") / block_rams(there.design, "ecp5")
    assert planned.used["block RAM"] == ceil(100 * share)
    assert complete(candidate(8, 8, "lut", 8, 8)).used["block RAM"] == 100


def test_blocks_of_a_memory():
    design = design_for(random_network(1, (2, 4), (8, 8), 4, 4), 2, 2)
    words = sum(depth * width for depth, width in list_memories(design))
    assert words == sum(design.memory_bits.values())
    big = replace(design, feature_words=40960, pin=8, abits=6)
    assert block_rams(big, "ecp5") - block_rams(replace(big, feature_words=1), "ecp5") == 120
