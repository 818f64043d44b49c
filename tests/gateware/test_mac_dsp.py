"""DspMacArray == ConvSpec.compute_array, of one and two pixels, with every block."""

from dataclasses import replace

import pytest

from fxhw.fixed import ActivationFormat, WeightFormat
from fxhw.gateware.mac_dsp import DspMacArray
from fxhw.plan import ConvSpec
from fxhw.plan.packing import MULTIPLIERS

from .run_array import check_sums, expected_sums, random_operands, run_array


def spec_of(wbits, abits, lanes_in=2, lanes_out=2, *, kind="fixed", **changes):
    fields = {
        "weight": WeightFormat(wbits, kind),
        "activation": ActivationFormat(abits),
        "out": ActivationFormat(4),
        "lanes_in": lanes_in,
        "lanes_out": lanes_out,
        "max_groups_in": 1,
        "max_groups_out": 1,
        "row_words": 4,
        "weight_words": 1,
        "style": "dsp",
        "target": "generic",
    }
    return ConvSpec(**{**fields, **changes})


def check_array(spec):
    check_sums(DspMacArray(spec), spec)


@pytest.mark.parametrize("pixels", [1, 2])
@pytest.mark.parametrize(
    ("wbits", "abits"), [(1, 1), (1, 6), (2, 2), (2, 4), (4, 4), (4, 6), (6, 6), (8, 8)]
)
def test_widths(wbits, abits, pixels):
    check_array(spec_of(wbits, abits, pixels=pixels))


@pytest.mark.parametrize("pixels", [1, 2])
@pytest.mark.parametrize("target", MULTIPLIERS)
def test_blocks_of_every_family(target, pixels):
    check_array(spec_of(4, 4, 1, 2, target=target, pixels=pixels))


@pytest.mark.parametrize("target", MULTIPLIERS)
def test_a_part_in_cells_of_every_family(target):
    spec = spec_of(3, 4, 1, 1, target=target, style="mixed", dsps=2)
    assert spec.packed_array.blocks
    assert spec.packed_array.rest
    check_array(spec)


@pytest.mark.parametrize("pixels", [1, 2])
def test_ternary_weights(pixels):
    check_array(spec_of(2, 6, kind="ternary", pixels=pixels))


@pytest.mark.parametrize("pixels", [1, 2])
@pytest.mark.parametrize("dsps", [0, 1, 7, 14, 1000])
def test_a_budget_is_kept(dsps, pixels):
    spec = spec_of(4, 6, 1, 3, style="mixed", dsps=dsps, pixels=pixels)
    assert len(spec.packed_array.blocks) <= dsps
    check_array(spec)


def test_blocks_take_all_that_a_budget_allows():
    whole = len(spec_of(4, 6, target="ecp5", pixels=2).packed_array.blocks)
    for dsps in range(0, whole + 1, 2):
        spec = spec_of(4, 6, target="ecp5", style="mixed", dsps=dsps, pixels=2)
        assert len(spec.packed_array.blocks) == dsps
    assert not spec.packed_array.rest


@pytest.mark.parametrize(
    ("wbits", "abits", "target", "pixels", "dsps", "blocks", "products"),
    [
        (4, 6, "ecp5", 2, 96, 96, 4),
        (4, 6, "ecp5", 2, None, 192, 3),
        (4, 6, "ecp5", 1, None, 288, 2),
        (4, 4, "xc7", 2, None, 96, 6),
        (4, 6, "xc7", 2, None, 144, 4),
        (4, 6, "xcup", 2, None, 96, 6),
        (4, 6, "gowin", 2, 96, 96, 4),
    ],
)
def test_products_per_block(wbits, abits, target, pixels, dsps, blocks, products):
    style = {"style": "dsp"} if dsps is None else {"style": "mixed", "dsps": dsps}
    spec = spec_of(wbits, abits, 8, 8 // pixels, target=target, pixels=pixels, **style)
    plan = spec.packed_array
    assert len(plan.blocks) == blocks
    assert plan.packed_products == products * blocks
    assert plan.packed_products + plan.channels * len(plan.rest) == spec.macs_per_cycle == 576


@pytest.mark.parametrize("pixels", [1, 2])
def test_every_product_is_made_once(pixels):
    for dsps in (0, 3, 8, 100):
        spec = spec_of(4, 6, 3, 2, style="mixed", dsps=dsps, pixels=pixels)
        plan = spec.packed_array
        made = [p for unit in plan.units for p in unit.products] + list(plan.rest)
        assert sorted(made, key=spec.products.index) == list(spec.products)


def _reversed(unit):
    return replace(unit, weights=unit.weights[::-1])


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: replace(plan, units=(_reversed(plan.units[0]), *plan.units[1:])),
        lambda plan: replace(plan, units=plan.units[:-1]),
        lambda plan: replace(plan, rest=plan.rest + plan.units[0].products),
    ],
    ids=["weights of a block reversed", "a block left out", "products made twice"],
)  # fmt: skip
def test_a_broken_plan_is_seen(change):
    spec = spec_of(4, 6, 1, 1, pixels=2)
    broken = change(spec.packed_array)
    dut = DspMacArray(spec)
    dut._plan = broken
    if broken.latency != spec.packed_array.latency:
        spec.__dict__["packed_array"] = broken
    windows, weights = random_operands(spec)
    assert run_array(dut, spec, windows, weights) != expected_sums(spec, windows, weights)
