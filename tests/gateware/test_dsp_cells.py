"""What arrays of multiplier blocks become: one block for each planned, and few look-up tables."""

import json

import pytest

from fxhw.emit import emit_verilog, run_yosys
from fxhw.gateware.accumulating_array import AccumulatingArray
from fxhw.gateware.mac_dsp import DspMacArray
from fxhw.gateware.primitives.multiplier import CELLS

from .test_mac_dsp import spec_of

FAMILIES = {
    "ecp5": ("synth_ecp5", r"MULT18X18D"),
    "xc7": ("synth_xilinx -family xc7 -flatten -noiopad", r"DSP48E1"),
    "xcup": ("synth_xilinx -family xcup -flatten -noiopad", r"DSP48E2"),
    "gowin": ("synth_gowin -family gw2a -noiopads", r"MULT18X18"),
}
"""Yosys command and multiplier block of each family."""


def cells_of(component, command, folder):
    (folder / "top.v").write_text(emit_verilog(component, "top").verilog)
    run_yosys(
        f"read_verilog top.v\n{command} -top top\ncheck -assert\n"
        "tee -q -o stat.json stat -json -top top\n",
        folder,
    )
    return json.loads((folder / "stat.json").read_text())["design"]["num_cells_by_type"]


@pytest.mark.parametrize(
    ("family", "wbits", "abits"),
    [
        ("ecp5", 4, 6),
        ("gowin", 4, 6),
        pytest.param("xc7", 4, 4, marks=pytest.mark.slow),
        pytest.param("xcup", 4, 6, marks=pytest.mark.slow),
    ],
)
def test_every_block_is_one_cell(family, wbits, abits, tmp_path):
    spec = spec_of(wbits, abits, 2, 1, target=family, pixels=2)
    command, block = FAMILIES[family]
    cells = cells_of(DspMacArray(spec), command, tmp_path)
    assert cells[block] == len(spec.packed_array.blocks)
    if family in CELLS:
        # Products' registers are in the blocks: what is left is the heaps' and some delays.
        plan = spec.packed_array
        heaps = sum(heap.registers for heap in plan.heaps) * spec.lanes_out
        heaps += sum(part.heap.registers for part in plan.corrections)
        products = sum(b.packing.activation_bits + b.packing.weight_bits for b in plan.blocks)
        flip_flops = sum(cells.get(name, 0) for name in ("TRELLIS_FF", "FDRE"))
        assert flip_flops <= heaps + products / 2
    # No adder went into one.
    others = [name for name in cells if name.startswith(("MULT", "DSP48")) and name != block]
    assert not others


@pytest.mark.slow
def test_a_multiplier_block_for_four_products_and_few_tables_beside(tmp_path):
    spec = spec_of(
        4, 6, 8, 4, target="ecp5", pixels=2, style="mixed", dsps=144, max_groups_in=64,
        max_groups_out=16,
    )  # fmt: skip
    assert spec.macs_per_cycle == 576
    cells = cells_of(AccumulatingArray(spec), "synth_ecp5", tmp_path)
    assert cells["MULT18X18D"] == 144
    luts = cells["LUT4"] + 2 * cells["CCU2C"]
    assert luts <= 14.6 * spec.macs_per_cycle
    assert cells["TRELLIS_FF"] <= luts
