"""What targets have in common: a family's Yosys command and what its cells count as."""

import re
from dataclasses import dataclass

__all__ = ["CLASSES", "FAMILIES", "KEEP_BUDGET", "Family"]

CLASSES = {
    "LUT": "look-up tables for logic",
    "carry": "carry cells",
    "LUT RAM": "places of look-up tables taken by memories made of them",
    "FF": "flip-flops",
    "DSP": "multiplier blocks; half a one for each 9x9 of Lattice and Gowin, counted in 18x18",
    "block RAM": "memory blocks; a Xilinx RAMB18 counts as a half",
    "large RAM": "iCE40 SPRAM (256 kbit) and UltraScale+ UltraRAM (288 kbit) blocks",
    "NAND2": "logic and flip-flops in NAND2-equivalents, by the cell areas of the open 45 nm "
    "Nangate library; memories not included",
    "memory bits": "bits of all memories, which an ASIC would make of RAM macros",
}
"""What cells are counted as, in the order of the reports."""


KEEP_BUDGET = """\
proc
select -set others t:$mul {top}_*block_[0-9]*/t:$mul %d
techmap -max_iter 1 @others
maccmap t:$macc*
select -clear
"""
"""Yosys commands that make adders of all multiplications but those of the ``mixed`` style's blocks
(``block_0`` .. of its array), so that no others are inferred beyond the budget."""


@dataclass(frozen=True)
class Family:
    """Targets with the same cells.

    Parameters
    ----------
    name : name on the command line.
    title : name for readers.
    script : Yosys commands; ``{top}`` is the top module, ``{options}`` the target's options.
    cells : class, pattern of cell names, and what one such cell counts.
    dsp, no_dsp : options that let multiplier blocks in and that keep them out.
    carry_luts : places of look-up tables that a carry cell takes beside those counted as LUT.
    library : Yosys's models of the family's cells, for designs made of them.
    """

    name: str
    title: str
    script: str
    cells: tuple[tuple[str, str, float], ...]
    dsp: str = ""
    no_dsp: str = "-nodsp"
    carry_luts: int = 0
    library: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes its cells fall into, in the order of the reports."""
        present = {kind for kind, _, _ in self.cells}
        return tuple(kind for kind in CLASSES if kind in present)

    def weigh(self, cell: str) -> tuple[str, float] | None:
        """Class of a cell's name and what one such cell counts; None if it counts nothing."""
        for kind, pattern, each in self.cells:
            if re.fullmatch(pattern, cell):
                return kind, each
        return None


_XILINX_CELLS = (
    ("LUT", r"LUT[1-6]|INV", 1),
    ("LUT", r"LUT6_2", 1),
    # UG474 and UG574, "Distributed RAM": the LUTs that each primitive takes.
    ("LUT RAM", r"RAM(32|64)M", 4),
    ("LUT RAM", r"RAM(32M16|64M8)", 8),
    ("LUT RAM", r"RAM(32|64)X1D|RAM128X1S", 2),
    ("LUT RAM", r"RAM128X1D|RAM256X1S", 4),
    ("LUT RAM", r"RAM256X1D|RAM512X1S", 8),
    ("LUT RAM", r"RAM\d+X1S|SRL16E|SRLC32E", 1),
    ("FF", r"FD[RSCP]E(_1)?", 1),
    ("block RAM", r"RAMB36E[12]", 1),
    ("block RAM", r"RAMB18E[12]", 0.5),
)

_GATES = (
    # Cell areas of the Nangate 45 nm Open Cell Library over that of its NAND2_X1, 0.798 um2;
    # it has no inverting multiplexer, which counts as its MUX2_X1.
    ("NAND2", r"\$_NOT_", 0.532 / 0.798),
    ("NAND2", r"\$_(NAND|NOR)_", 1),
    ("NAND2", r"\$_(AND|OR|ANDNOT|ORNOT|AOI3|OAI3)_", 1.064 / 0.798),
    ("NAND2", r"\$_(AOI4|OAI4)_", 1.33 / 0.798),
    ("NAND2", r"\$_(XOR|XNOR)_", 1.596 / 0.798),
    ("NAND2", r"\$_N?MUX_", 1.862 / 0.798),
)

FLIP_FLOP_NAND2 = 4.522 / 0.798
"""NAND2-equivalents of a flip-flop: the areas of Nangate's DFF_X1 and NAND2_X1."""

FAMILIES = {
    family.name: family
    for family in (
        Family(
            name="ecp5",
            title="Lattice ECP5",
            script="synth_ecp5 {options} -top {top}",
            # A CCU2C is two LUTs with their carry; a DPR16X4 is four, and the slice of its write
            # port is two more (FPGA-DS-02012, sections 2.2.2.2 and 2.2.2.3).
            cells=(
                ("LUT", r"LUT4", 1),
                ("carry", r"CCU2C", 1),
                ("LUT RAM", r"TRELLIS_DPR16X4", 6),
                ("FF", r"TRELLIS_FF", 1),
                ("DSP", r"MULT18X18D", 1),
                ("DSP", r"MULT9X9D", 0.5),
                ("block RAM", r"DP16KD|PDPW16KD", 1),
            ),
            carry_luts=2,
            library="+/ecp5/cells_sim.v +/ecp5/cells_bb.v",
        ),
        Family(
            name="xc7",
            title="Xilinx 7 series",
            script="synth_xilinx -family xc7 -flatten -noiopad {options} -top {top}",
            # The LUTs before a CARRY4 are cells of their own in the netlist.
            cells=(*_XILINX_CELLS, ("carry", r"CARRY4", 1), ("DSP", r"DSP48E1", 1)),
            library="+/xilinx/cells_sim.v",
        ),
        Family(
            name="xcup",
            title="Xilinx UltraScale+",
            script="synth_xilinx -family xcup -flatten -noiopad {options} -top {top}",
            cells=(
                *_XILINX_CELLS,
                ("carry", r"CARRY8|CARRY4", 1),
                ("DSP", r"DSP48E2", 1),
                ("large RAM", r"URAM288\w*", 1),
            ),
            library="+/xilinx/cells_sim.v +/xilinx/cells_xtra.v",
        ),
        Family(
            name="gowin",
            title="Gowin",
            script="synth_gowin -noiopads {options} -top {top}",
            # An ALU is a LUT4 with its carry; a RAM16 is four, and its write port takes two more.
            cells=(
                ("LUT", r"LUT[1-4]|INV", 1),
                ("carry", r"ALU", 1),
                ("LUT RAM", r"RAM16S(DP)?4", 6),
                ("LUT RAM", r"RAM16S(DP)?[12]", 6),
                ("FF", r"DFF\w*", 1),
                ("DSP", r"MULT18X18|MULTALU18X18|MULTADDALU18X18", 1),
                ("DSP", r"MULT9X9", 0.5),
                ("DSP", r"MULT36X36|MULTALU36X18", 4),
                ("block RAM", r"SDPX?9?B|DPX?9?B|SPX?9?|pROMX?9?", 1),
            ),
            carry_luts=1,
            library="+/gowin/cells_sim.v",
        ),
        Family(
            name="ice40",
            title="Lattice iCE40 UltraPlus",
            script="synth_ice40 -device u -spram {options} -top {top}",
            # The carry stands beside the LUT that forms its sum, in the same logic cell.
            cells=(
                ("LUT", r"SB_LUT4", 1),
                ("carry", r"SB_CARRY", 1),
                ("FF", r"SB_DFF\w*", 1),
                ("DSP", r"SB_MAC16", 1),
                ("block RAM", r"SB_RAM40_4K\w*", 1),
                ("large RAM", r"SB_SPRAM256KA", 1),
            ),
            dsp="-dsp",
            no_dsp="",
            library="+/ice40/cells_sim.v",
        ),
        Family(
            name="generic",
            title="ASIC gates",
            # Memories stay memories: as flip-flops they would say nothing about silicon.
            script="synth -flatten -run begin:fine -top {top}\n"
            "opt -fast -full\nopt -undriven -fine\ntechmap\nopt -fast\nsetattr -unset init w:*\n"
            "dfflegalize -cell $_DFF_P_ x\nopt_expr\nopt_merge\nabc -g cmos\nopt_clean\nautoname",
            cells=(
                *_GATES,
                ("FF", r"\$_DFF_P_", 1),
                ("memory bits", r"memory bit", 1),
            ),
            no_dsp="",
        ),
    )
}
"""The families by name."""
