"""Cells that arrays with their accumulators take on each family without DSPs, by Yosys.

``python -m tests.gateware.array_cells [NAME ...]`` prints those of a 9 x 8 x 8 array on ECP5, per
MAC, in all styles; ``--target FAMILY`` on another family, ``--lanes N`` those of an
array of fewer channels; ``--save`` writes those of 9 x 8 x 1 to array_cells.json, which a test
compares with.
"""

import argparse
import json
import tempfile
from itertools import product
from pathlib import Path

from amaranth.hdl import Module
from amaranth.lib import wiring

from fxhw.emit import emit_verilog, run_yosys
from fxhw.fixed import ActivationFormat, SignActivation, WeightFormat
from fxhw.gateware.accumulators import Accumulators
from fxhw.gateware.mac_array import MacArray
from fxhw.gateware.mac_lut import LutMacArray
from fxhw.plan import ConvSpec
from fxhw.plan.conv_spec import STYLES
from fxhw.synth import TARGETS

__all__ = ["FAMILIES", "OPERANDS", "SAVED", "array_cells", "array_spec", "count_cells"]

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

_FEW = ("w4a6", "binary-sign")
"""Those saved for families other than ECP5."""

FAMILIES = tuple(family for family in STYLES["lut"] if family != "generic")
"""Families with cells of their own."""


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
        may_exceed=True,
    )


def array_cells(spec, family=None):
    """Number of cells of each kind, on the family that ``spec`` is made for or another one."""
    target = TARGETS[family or spec.target]
    with tempfile.TemporaryDirectory(prefix="fxhw-") as folder:
        Path(folder, "top.v").write_text(emit_verilog(Summed(spec), "top").verilog)
        run_yosys(
            f"read_verilog top.v\n{target.script('top', dsp=False)}\ncheck -assert\n"
            "tee -q -o stat.json stat -json -top top\n",
            folder,
        )
        cells = json.loads(Path(folder, "stat.json").read_text())["design"]["num_cells_by_type"]
    return {name: n for name, n in sorted(cells.items()) if n and not name.startswith("$")}


def count_cells(cells, family="ecp5"):
    """Places of look-up tables that logic takes, those of carry cells included, and flip-flops."""
    target = TARGETS[family]
    classes = target.classify(cells)
    return target.logic_luts(classes), classes["FF"]


def _line(name, spec, family):
    cells = array_cells(spec, family)
    luts, ffs = (count / spec.macs_per_cycle for count in count_cells(cells, family))
    return (
        f"{name:12} {family:6} {spec.style:8} {spec.target:8} {luts:7.2f} LUT/MAC "
        f"{ffs:6.2f} FF/MAC  {cells}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(OPERANDS))
    parser.add_argument("--target", choices=FAMILIES, default="ecp5")
    parser.add_argument("--lanes", type=int, default=8)
    parser.add_argument("--save", action="store_true")
    arguments = parser.parse_args()
    if arguments.save:
        entry = {family: {} for family in FAMILIES}
        for family, name in product(FAMILIES, OPERANDS):
            if family == "ecp5" or name in _FEW:
                entry[family][name] = array_cells(array_spec(name, 1, target=family))
                print(family, name, entry[family][name], flush=True)
        SAVED.write_text(json.dumps(entry, indent=1) + "\n")
        return
    styles = [("lut", arguments.target), ("lut", "generic"), ("generic", "generic")]
    for name in arguments.names or OPERANDS:
        for style, target in styles[: 1 if name.endswith("sign") else 3]:
            spec = array_spec(name, arguments.lanes, style, target)
            if style == "generic" and spec.weight.kind == "ternary":
                continue
            print(_line(name, spec, arguments.target), flush=True)


if __name__ == "__main__":
    main()
