"""FPGA families: the Yosys command of each and what its cells count as."""

import re
from dataclasses import dataclass

__all__ = ["CLASSES", "TARGETS", "Target"]

CLASSES = {
    "LUT": "look-up tables for logic",
    "carry": "carry cells; an ECP5 CCU2C and a Xilinx CARRY4 take 2 and 4 look-up tables' places",
    "LUT RAM": "cells of memories made of look-up tables",
    "FF": "flip-flops",
    "DSP": "multiplier blocks",
    "block RAM": "memory blocks; a Xilinx RAMB18 counts as a half",
}
"""What cells are counted as, in the order of the reports."""


@dataclass(frozen=True)
class Target:
    """One FPGA family.

    Parameters
    ----------
    name : name on the command line.
    title : name for readers.
    command : Yosys command; ``{top}`` is the top module.
    no_dsp : option of the command that keeps multipliers out of multiplier blocks.
    cells : class -> pattern of cell names, and what one such cell counts.
    """

    name: str
    title: str
    command: str
    no_dsp: str
    cells: tuple[tuple[str, str, float], ...]

    def classify(self, counts: dict[str, int]) -> dict[str, float]:
        """Cells counted by class, from Yosys's ``stat``."""
        totals = dict.fromkeys(CLASSES, 0.0)
        for cell, count in counts.items():
            for kind, pattern, each in self.cells:
                if re.fullmatch(pattern, cell):
                    totals[kind] += each * count
                    break
        return totals


TARGETS = {
    target.name: target
    for target in (
        Target(
            name="ecp5",
            title="Lattice ECP5",
            command="synth_ecp5 -top {top}",
            no_dsp="-nodsp",
            cells=(
                ("LUT", r"LUT4", 1),
                ("carry", r"CCU2C", 1),
                ("LUT RAM", r"TRELLIS_DPR16X4", 1),
                ("FF", r"TRELLIS_FF", 1),
                ("DSP", r"MULT18X18D|MULT9X9D", 1),
                ("block RAM", r"DP16KD|PDPW16KD", 1),
            ),
        ),
        Target(
            name="xc7",
            title="Xilinx 7 series",
            command="synth_xilinx -family xc7 -flatten -noiopad -top {top}",
            no_dsp="-nodsp",
            cells=(
                ("LUT", r"LUT[1-6]", 1),
                ("carry", r"CARRY4", 1),
                ("LUT RAM", r"RAM\d+\w*|SRL\w+", 1),
                ("FF", r"FD[RSCP]E(_1)?", 1),
                ("DSP", r"DSP48E1", 1),
                ("block RAM", r"RAMB36E1", 1),
                ("block RAM", r"RAMB18E1", 0.5),
            ),
        ),
        Target(
            name="gowin",
            title="Gowin GW2A",
            command="synth_gowin -family gw2a -noiopads -top {top}",
            no_dsp="-nodsp",
            cells=(
                ("LUT", r"LUT[1-4]", 1),
                ("carry", r"ALU", 1),
                ("LUT RAM", r"RAM16S\w*", 1),
                ("FF", r"DFF\w*", 1),
                ("DSP", r"MULT\d+X\d+|MULTALU\w+|MULTADDALU\w+", 1),
                ("block RAM", r"SDPX?9?B|DPX?9?B|SPX?9?|pROMX?9?|SDPB|DPB", 1),
            ),
        ),
    )
}
"""The families by name."""
