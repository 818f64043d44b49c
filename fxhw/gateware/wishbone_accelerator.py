"""The accelerator with external memory for Wishbone, as LiteX has it."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from ..plan.registers import registers_of
from .accelerator import ADDRESS_BITS
from .external_accelerator import ID_BITS, ExternalAccelerator
from .wishbone import WishboneSignature
from .wishbone_memory import WishboneMaster
from .wishbone_registers import WishboneSlave

__all__ = ["WishboneAccelerator"]

_WORD_BITS = ADDRESS_BITS - 2
"""Bits of a register's word address."""


class WishboneAccelerator(ExternalAccelerator):
    """An :class:`ExternalAccelerator` with Wishbone B4 ports instead of AXI4 ones.

    Everything else is the same: registers, ranges, program.  Reads and writes share one bus, a
    beat per cycle for both together.

    Parameters
    ----------
    design : widths and maxima, ``memory`` being ``wishbone``.

    Members
    -------
    clk, rst : clock, and reset, high, synchronous.
    s_wb_* : registers, classic cycles of 32-bit words, word addresses.
    m_wb_* : external memory, incrementing bursts, addresses of words of the bus's width.
    irq : a run has ended.
    trace_* : as in :class:`ExternalAccelerator`.
    """

    def __init__(self, design: Design):
        bursts = design.bursts
        words = bursts.address_bits - bursts.lane_bits
        self._slave = WishboneSignature(_WORD_BITS, 32).flip()
        self._master = WishboneSignature(words, bursts.data_bits, bursts=True)
        super().__init__(design)

    def _control_pins(self):
        return {"clk": In(1), "rst": In(1), **_pins("s_wb", self._slave)}

    def _data_pins(self):
        return _pins("m_wb", self._master)

    def _clock_pins(self):
        return self.clk, self.rst

    def _connect_bus(self, m):
        """The registers behind the Wishbone pins."""
        count = len(registers_of(self._design.external))
        m.submodules.slave = slave = WishboneSlave(_WORD_BITS, count)
        wiring.connect(m, slave.registers, self._registers.port)
        self._join(m, "s_wb", slave.bus, self._slave)

    def _connect_memory(self, m, reads, writes):
        m.submodules.bridge = bridge = WishboneMaster(self._design.bursts, ID_BITS)
        wiring.connect(m, reads, bridge.reads)
        wiring.connect(m, writes, bridge.writes)
        self._join(m, "m_wb", bridge.bus, self._master)

    def _join(self, m, prefix, port, signature):
        """Connect a port with its pins."""
        for name, member in signature.members.items():
            outer, inner = getattr(self, f"{prefix}_{name}"), getattr(port, name)
            m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)


def _pins(prefix, signature):
    return {f"{prefix}_{name}": member for name, member in signature.members.items()}
