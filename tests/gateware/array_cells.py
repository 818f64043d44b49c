"""Cells that arrays with their accumulators take on ECP5 without DSPs, by Yosys.

``python -m tests.gateware.array_cells [NAME ...]`` prints a 9 x 8 x 8 array's, per MAC;
``--save`` writes those of 9 x 8 x 1 to array_cells.json, which a test compares with.
"""

import json
import sys
import tempfile
from pathlib import Path

from amaranth.hdl import Module
from amaranth.lib import wiring

from fxhw.emit import emit_verilog, run_yosys
from fxhw.fixed import ActivationFormat, SignActivation, WeightFormat
from fxhw.gateware.accumulators import Accumulators
from fxhw.gateware.mac_array import MacArray
from fxhw.gateware.mac_lut import LutMacArray
from fxhw.plan import ConvSpec

__all__ = ["OPERANDS", "SAVED", "array_cells", "array_spec", "lut_places"]

SAVED = Path(__file__).with_suffix(".json")

OPERANDS = {
    "w4a6": (WeightFormat(4), ActivationFormat(6)),
    "w8a8": (WeightFormat(8), ActivationFormat(8)),
    "w6a6": (WeightFormat(6), ActivationFormat(6)),
    "w4a4": (WeightFormat(4), ActivationFormat(4)),
    "w2a4": (WeightFormat(2), ActivationFormat(4)),
    "ternary-a6": (WeightFormat(2, "ternary"), ActivationFormat(6)),
    "binary-a6": (WeightFormat(1), ActivationFormat(6)),
    "binary-sign": (WeightFormat(1), SignActivation()),
}
"""Weight and activation formats by name."""


class Summed(wiring.Component):
    """An array and its accumulators."""

    def __init__(self, spec):
        self.array = (LutMacArray if spec.style == "lut" else MacArray)(spec)
        self.accumulators = Accumulators(spec)
        members = {**self.array.signature.members, **self.accumulators.signature.members}
        del members["sums"]
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.array = self.array
        m.submodules.accumulators = self.accumulators
        m.d.comb += self.accumulators.sums.eq(self.array.sums)
        for part in (self.array, self.accumulators):
            for name, member in part.signature.members.items():
                if name != "sums":
                    ends = getattr(part, name), getattr(self, name)
                    to, value = ends if member.flow is wiring.In else ends[::-1]
                    m.d.comb += to.eq(value)
        return m


def array_spec(name, lanes_out=8, style="lut", target="ecp5"):
    weight, activation = OPERANDS[name]
    return ConvSpec(
        weight=weight,
        activation=activation,
        out=ActivationFormat(4),
        lanes_in=8,
        lanes_out=lanes_out,
        max_groups_in=64,
        max_groups_out=16,
        row_words=4,
        weight_words=1,
        style=style,
        target=target,
    )


def array_cells(spec):
    """Number of cells of each kind."""
    with tempfile.TemporaryDirectory(prefix="fxhw-") as folder:
        Path(folder, "top.v").write_text(emit_verilog(Summed(spec), "top").verilog)
        run_yosys(
            "read_verilog top.v\nsynth_ecp5 -nodsp -top top\ncheck -assert\n"
            "tee -q -o stat.json stat -json -top top\n",
            folder,
        )
        cells = json.loads(Path(folder, "stat.json").read_text())["design"]["num_cells_by_type"]
    return {name: n for name, n in sorted(cells.items()) if n and not name.startswith("$")}


def lut_places(cells):
    """LUT4 + 2 x CCU2C."""
    return cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0)


def main(arguments):
    if arguments == ["--save"]:
        entry = {name: array_cells(array_spec(name, 1)) for name in OPERANDS}
        SAVED.write_text(json.dumps(entry, indent=1) + "\n")
        return
    styles = [("lut", "ecp5"), ("lut", "generic"), ("generic", "generic")]
    for name in arguments or OPERANDS:
        for style, target in styles[: 1 if name.endswith("sign") else 3]:
            spec = array_spec(name, 8, style, target)
            if style == "generic" and spec.weight.kind == "ternary":
                continue
            cells = array_cells(spec)
            macs = spec.macs_per_cycle
            print(
                f"{name:12} {style:8} {target:8} {lut_places(cells) / macs:7.2f} LUT/MAC "
                f"{cells.get('TRELLIS_FF', 0) / macs:6.2f} FF/MAC  {cells}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
