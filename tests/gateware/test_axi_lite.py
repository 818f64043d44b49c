"""AxiLiteSlave answers every request once, refuses what is not there, whatever the order."""

import pytest
from amaranth.hdl import Module, Mux
from amaranth.sim import Simulator

from fxhw.gateware.axi_lite import AxiLiteSlave

OKAY, SLVERR = 0, 2


def run(script):
    """Run ``await script(write, read)`` against eight registers that hold what was written."""
    slave = AxiLiteSlave(8, 8)
    written = {}
    m = Module()
    m.submodules.slave = slave
    registers = slave.registers
    m.d.sync += registers.read_done.eq(0)
    with m.If(registers.read & ~registers.read_done):
        known = registers.read_index < 8
        m.d.sync += [
            registers.read_done.eq(1),
            registers.read_data.eq(Mux(known, 0x100 + registers.read_index, 0)),
        ]

    async def bench(ctx):
        bus = slave.bus

        async def write(address, data, strobes=15, address_first=0, patience=0):
            pending = {"aw": address_first <= 0, "w": address_first >= 0}
            ctx.set(bus.awaddr, address)
            ctx.set(bus.wdata, data)
            ctx.set(bus.wstrb, strobes)
            for cycle in range(20):
                ctx.set(bus.awvalid, pending["aw"] or cycle >= 2)
                ctx.set(bus.wvalid, pending["w"] or cycle >= 2)
                if ctx.get(slave.registers.write):
                    index = ctx.get(slave.registers.write_index)
                    written[index] = ctx.get(slave.registers.write_data)
                done = ctx.get(bus.awready) and ctx.get(bus.wready)
                await ctx.tick()
                if done:
                    break
            ctx.set(bus.awvalid, 0)
            ctx.set(bus.wvalid, 0)
            for _ in range(patience):
                assert ctx.get(bus.bvalid), "a response waits for its taker"
                await ctx.tick()
            ctx.set(bus.bready, 1)
            assert ctx.get(bus.bvalid)
            response = ctx.get(bus.bresp)
            await ctx.tick()
            ctx.set(bus.bready, 0)
            assert not ctx.get(bus.bvalid)
            return response

        async def read(address, patience=0):
            ctx.set(bus.araddr, address)
            ctx.set(bus.arvalid, 1)
            assert ctx.get(bus.arready)
            await ctx.tick()
            ctx.set(bus.arvalid, 0)
            for _ in range(2):
                assert not ctx.get(bus.rvalid)
                await ctx.tick()
            for _ in range(patience):
                assert ctx.get(bus.rvalid)
                await ctx.tick()
            ctx.set(bus.rready, 1)
            result = ctx.get(bus.rdata), ctx.get(bus.rresp)
            await ctx.tick()
            ctx.set(bus.rready, 0)
            assert not ctx.get(bus.rvalid)
            return result

        await script(write, read)

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return written


@pytest.mark.parametrize("patience", [0, 3])
@pytest.mark.parametrize("address_first", [-1, 0, 1])
def test_write(patience, address_first):
    async def script(write, read):
        assert await write(0x08, 0xDEADBEEF, 15, address_first, patience) == OKAY
        assert await write(0x1C, 5, 15, address_first, patience) == OKAY

    assert run(script) == {2: 0xDEADBEEF, 7: 5}


def test_refused_writes():
    async def script(write, read):
        assert await write(0x20, 1) == SLVERR
        assert await write(0x04, 1, strobes=7) == SLVERR

    assert run(script) == {}


@pytest.mark.parametrize("patience", [0, 3])
def test_read(patience):
    async def script(write, read):
        assert await read(0x0C, patience) == (0x103, OKAY)
        assert await read(0x20, patience) == (0, SLVERR)

    assert run(script) == {}
