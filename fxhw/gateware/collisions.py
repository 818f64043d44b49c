"""What memories do where a word is read and written in one cycle."""

__all__ = ["ATTRIBUTE", "NEVER"]

ATTRIBUTE = "no_rw_check"
"""Yosys's attribute of memories whose reads and writes never meet, and the generator's mark."""

NEVER = {ATTRIBUTE: 1}
"""Attributes of a memory in which that never happens, or what is then read plays no part.

A memory without them gives the old word, which block RAM of some families does only with a
multiplexer and a register for every bit beside it.
"""
