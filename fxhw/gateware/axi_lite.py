"""AXI4-Lite slave: turns bus transactions into single-cycle register accesses."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["AxiLiteSignature", "AxiLiteSlave", "RegisterPort"]


class AxiLiteSignature(wiring.Signature):
    """AXI4-Lite with 32-bit data, named as in the AMBA specification, seen from the master.

    Parameters
    ----------
    address_bits : bits of a byte address.
    """

    def __init__(self, address_bits: int):
        super().__init__(
            {
                "awaddr": Out(address_bits),
                "awprot": Out(3),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(32),
                "wstrb": Out(4),
                "wvalid": Out(1),
                "wready": In(1),
                "bresp": In(2),
                "bvalid": In(1),
                "bready": Out(1),
                "araddr": Out(address_bits),
                "arprot": Out(3),
                "arvalid": Out(1),
                "arready": In(1),
                "rdata": In(32),
                "rresp": In(2),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )


class RegisterPort(wiring.Signature):
    """Access to 32-bit registers by index, seen from the bus.

    Members
    -------
    write, write_index, write_data : pulse that writes a register.
    read, read_index : a register is wanted, until it is there.
    read_done : pulse: it is there, in ``read_data``, where it stays until the next is wanted.
    """

    def __init__(self, index_bits: int):
        super().__init__(
            {
                "write": Out(1),
                "write_index": Out(index_bits),
                "write_data": Out(32),
                "read": Out(1),
                "read_index": Out(index_bits),
                "read_done": In(1),
                "read_data": In(32),
            }
        )


class AxiLiteSlave(wiring.Component):
    """Answers AXI4-Lite reads and writes of ``count`` registers from byte address 0.

    An address past the registers, and a write of less than a word, is answered with SLVERR and
    has no effect.

    *Latency*: the response to a write follows by one cycle, the one to a read a cycle after the
    register is there.  *Throughput*: a write every other cycle.

    Parameters
    ----------
    address_bits : bits of a byte address.
    count : number of registers; those past them read 0.

    Members
    -------
    bus : the AXI4-Lite port.
    registers : the registers.
    """

    def __init__(self, address_bits: int, count: int):
        self._count = count
        super().__init__(
            {
                "bus": In(AxiLiteSignature(address_bits)),
                "registers": Out(RegisterPort(address_bits - 2)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bus, registers = self.bus, self.registers
        okay, slave_error = 0, 2

        write = Signal()
        write_known = Signal()
        m.d.comb += [
            registers.write_index.eq(bus.awaddr[2:]),
            registers.write_data.eq(bus.wdata),
            write.eq(bus.awvalid & bus.wvalid & ~bus.bvalid),
            write_known.eq((registers.write_index < self._count) & bus.wstrb.all()),
            registers.write.eq(write & write_known),
            bus.awready.eq(write),
            bus.wready.eq(write),
        ]
        with m.If(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(write):
            m.d.sync += [bus.bvalid.eq(1), bus.bresp.eq(Mux(write_known, okay, slave_error))]

        m.d.comb += [
            bus.arready.eq(~registers.read & ~bus.rvalid),
            bus.rdata.eq(registers.read_data),
        ]
        with m.If(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(bus.arvalid & bus.arready):
            index = bus.araddr[2:]
            m.d.sync += [
                registers.read.eq(1),
                registers.read_index.eq(index),
                bus.rresp.eq(Mux(index < self._count, okay, slave_error)),
            ]
        with m.If(registers.read & registers.read_done):
            m.d.sync += [registers.read.eq(0), bus.rvalid.eq(1)]
        return m
