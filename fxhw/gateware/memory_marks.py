"""What a memory can be marked with, and how Verilog says it."""

__all__ = ["ATTRIBUTE", "LUT_RAM", "MARKS", "NEVER"]

ATTRIBUTE = "no_rw_check"
"""Yosys's attribute of memories whose reads and writes never meet, and the generator's mark."""

NEVER = {ATTRIBUTE: 1}
"""Attributes of a memory in which that never happens, or what is then read plays no part.

A memory without them gives the old word, which block RAM of some families does only with a
multiplexer and a register for every bit beside it.
"""

LUT_RAM = {"ram_style": "distributed"}
"""Attributes of a memory that is to lie in look-up tables; only for families that have such."""

MARKS = {
    ATTRIBUTE: f'(* {ATTRIBUTE}, rw_addr_collision = "no", syn_ramstyle = "{ATTRIBUTE}" *)',
    "ram_style": '(* ram_style = "distributed" *)',
}
"""Attribute -> the same to Yosys, Vivado and Synplify."""
