"""What a design can be synthesized for: whole families, and parts with their capacity."""

import re
from dataclasses import dataclass, field

from ..errors import FxhwError
from .families import FAMILIES, FLIP_FLOP_NAND2, KEEP_BUDGET, Family

__all__ = ["TARGETS", "Target", "find_target"]


@dataclass(frozen=True)
class Target:
    """A family, or one part of it.

    Parameters
    ----------
    name : name on the command line.
    title : name for readers.
    family : name of its family, of :data:`~fxhw.synth.families.FAMILIES`.
    options : options of its own for the family's Yosys command.
    capacity : what the part has, by class; None for a whole family.  ``LUT`` counts the places of
        look-up tables, in which carry cells and LUT RAM lie too.
    """

    name: str
    title: str
    family: str
    options: str = ""
    capacity: dict[str, int] | None = field(default=None, hash=False)

    @property
    def rules(self) -> Family:
        """Its family's cells and Yosys commands."""
        return FAMILIES[self.family]

    def script(self, top: str, dsp: bool = True, budget: bool = False) -> str:
        """Yosys commands that synthesize ``top``, with multiplier blocks or without.

        Parameters
        ----------
        budget : whether multiplier blocks are for the products that the array plans for them.
        """
        blocks = self.rules.dsp if dsp else self.rules.no_dsp
        text = self.rules.script.format(top=top, options=f"{self.options} {blocks}")
        if budget and dsp and "DSP" in self.rules.classes:
            text = KEEP_BUDGET.format(top=top) + text
        return re.sub(" +", " ", text)

    def classify(self, counts: dict[str, int]) -> dict[str, float]:
        """Cells counted by class, from Yosys's ``stat``."""
        totals = dict.fromkeys(self.rules.classes, 0.0)
        for cell, count in counts.items():
            if found := self.rules.weigh(cell):
                totals[found[0]] += found[1] * count
        if "NAND2" in totals:
            totals["NAND2"] += FLIP_FLOP_NAND2 * totals["FF"]
        return totals

    def logic_luts(self, classes: dict[str, float]) -> float:
        """Places of look-up tables that logic takes, its carry cells included."""
        return classes.get("LUT", 0) + self.rules.carry_luts * classes.get("carry", 0)

    def used(self, classes: dict[str, float]) -> dict[str, float]:
        """What a design takes of each capacity: as ``classes``, but LUT with all in its places."""
        places = self.logic_luts(classes) + classes.get("LUT RAM", 0)
        return {kind: classes.get(kind, 0) for kind in self.capacity or ()} | (
            {"LUT": places} if "LUT" in (self.capacity or ()) else {}
        )


def _part(name, title, family, luts, ffs, dsps, rams, lut_rams, options="", **more):
    """A target with its capacity."""
    capacity = {"LUT": luts, "LUT RAM": lut_rams, "FF": ffs, "DSP": dsps, "block RAM": rams}
    capacity |= {kind.replace("_", " "): count for kind, count in more.items()}
    return Target(name, title, family, options, capacity)


_PARTS = (
    # FPGA-DS-02012, ECP5 and ECP5-5G Family Data Sheet, Table 1.1; one 16x4 memory per eight LUTs.
    _part("ecp5-25k", "Lattice LFE5U-25F", "ecp5", 24_288, 24_288, 28, 56, 24_288 * 6 // 8),
    _part("ecp5-45k", "Lattice LFE5U-45F", "ecp5", 43_848, 43_848, 72, 108, 43_848 * 6 // 8),
    _part("ecp5-85k", "Lattice LFE5U-85F", "ecp5", 83_640, 83_640, 156, 208, 83_640 * 6 // 8),
    # DS180, 7 Series FPGAs Overview, and UG474, Table 2-2 (4,750 SLICEM of four LUTs).
    _part("xc7a100t", "Xilinx XC7A100T", "xc7", 63_400, 126_800, 240, 135, 19_000),
    # DS891, Zynq UltraScale+ MPSoC Overview (1.8 Mbit distributed RAM, 64 bits a LUT; no UltraRAM).
    _part("xczu3eg", "Xilinx XCZU3EG", "xcup", 70_560, 141_120, 360, 216, 28_800, large_RAM=0),
    # DS117, GW1NR series of FPGA Products Data Sheet (17,280 SSRAM bits, 64 in six places).
    _part(
        "gw1nr9", "Gowin GW1NR-9", "gowin", 8_640, 6_480, 20, 26, 17_280 // 64 * 6, "-family gw1n"
    ),
    # DS102, GW2A series of FPGA Products Data Sheet (41,472 SSRAM bits).
    _part(
        "gw2a18", "Gowin GW2A-18", "gowin", 20_736, 15_552, 48, 46, 41_472 // 64 * 6, "-family gw2a"
    ),
    # FPGA-DS-02008, iCE40 UltraPlus Family Data Sheet, Table 2.1.
    _part("up5k", "Lattice iCE40UP5K", "ice40", 5_280, 5_280, 8, 30, 0, large_RAM=4),
)

TARGETS = {
    target.name: target
    for target in (
        *(
            Target(name, family.title, name, "-family gw2a" if name == "gowin" else "")
            for name, family in FAMILIES.items()
        ),
        *_PARTS,
    )
}
"""The targets by name: families, then parts."""


def find_target(name: str) -> Target:
    """The target called ``name``.

    Raises
    ------
    FxhwError naming all targets, if there is none.
    """
    if name not in TARGETS:
        raise FxhwError(f"Target {name!r} is unknown; there are {', '.join(TARGETS)}")
    return TARGETS[name]
