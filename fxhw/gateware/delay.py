"""Delay: a value some cycles later."""

from amaranth.hdl import *

__all__ = ["delay"]


def delay(m: Module, value: Value, cycles: int, name: str, *, reset_less: bool = False) -> Value:
    """``value`` as it was ``cycles`` cycles before, out of registers ``name_0`` and on."""
    for cycle in range(cycles):
        delayed = Signal(value.shape(), name=f"{name}_{cycle}", reset_less=reset_less)
        m.d.sync += delayed.eq(value)
        value = delayed
    return value
