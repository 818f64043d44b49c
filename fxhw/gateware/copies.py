"""Copies of a state that are kept the other way round.

What decides whether a pipeline moves on decides at the same time whether hundreds of registers
open.  These follow a copy, so that neither waits for the wires of the other.  Of equal registers
synthesizers make one; so the copy is the state's opposite.
"""

from amaranth.hdl import *

__all__ = ["assert_opposite"]


def assert_opposite(m: Module, platform, copy: Value, state: Value) -> None:
    """Tell proofs that ``copy`` is the opposite of ``state``, and have them show it."""
    if platform == "formal":
        m.d.comb += Assert(copy == ~state)
