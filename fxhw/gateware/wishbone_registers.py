"""Wishbone slave: turns classic bus cycles into single-cycle register accesses."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .axi_lite import RegisterPort
from .wishbone import WishboneSignature

__all__ = ["WishboneSlave"]


class WishboneSlave(wiring.Component):
    """Answers Wishbone reads and writes of ``count`` 32-bit registers from word address 0.

    An address past the registers, and a write of less than a word, is answered with ERR and has
    no effect.  A read gives all of a word, whatever lanes it asks for.  Answers never come
    outside a cycle, so that those of several slaves may be ORed; a read that is given up has no
    effect.

    *Latency*: the answer to a write follows by one cycle, the one to a read a cycle after the
    register is there.  *Throughput*: a write every other cycle.

    Parameters
    ----------
    address_bits : bits of a word's address.
    count : registers, at most ``2 ** address_bits``.

    Members
    -------
    bus : the slave's end of a :class:`WishboneSignature`.
    registers : what there is to access.
    """

    def __init__(self, address_bits: int, count: int):
        if not isinstance(count, int) or not 1 <= count <= 1 << address_bits:
            raise ValueError(
                f"Count of registers must be 1 to {1 << address_bits} with word addresses of "
                f"{address_bits} bits, not {count!r}"
            )
        self._count = count
        super().__init__(
            {
                "bus": In(WishboneSignature(address_bits, 32)),
                "registers": Out(RegisterPort(address_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bus, registers = self.bus, self.registers
        done, refused = Signal(), Signal()
        wanted, known = Signal(), Signal()
        m.d.comb += [
            wanted.eq(bus.cyc & bus.stb),
            bus.ack.eq(wanted & done & ~refused),
            bus.err.eq(wanted & done & refused),
        ]

        write = Signal()
        m.d.comb += [
            known.eq((bus.adr < self._count) & (~bus.we | bus.sel.all())),
            write.eq(wanted & bus.we & ~done),
            registers.write.eq(write & known),
            registers.write_index.eq(bus.adr),
            registers.write_data.eq(bus.dat_w),
            bus.dat_r.eq(registers.read_data),
        ]
        arrives = registers.read & registers.read_done
        m.d.sync += [
            done.eq(wanted & ~done & (bus.we | arrives)),
            registers.read.eq(wanted & ~done & ~bus.we & ~arrives),
        ]
        with m.If(~done):
            m.d.sync += [refused.eq(~known), registers.read_index.eq(bus.adr)]
        return m
