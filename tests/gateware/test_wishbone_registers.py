# amaranth: UnusedElaboratable=no

"""WishboneSlave answers every cycle once, and refuses what is not there."""

import pytest
from amaranth.hdl import Module, Mux
from amaranth.sim import Simulator

from fxhw.gateware.wishbone_registers import WishboneSlave


def run(script):
    """Run ``await script(access)`` against eight registers; (index, word) of all writes."""
    slave = WishboneSlave(6, 8)
    written = []
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

        async def access(index, word=None, lanes=15, patience=20):
            """(answer, data, cycles); gives up after ``patience`` cycles."""
            ctx.set(bus.adr, index)
            ctx.set(bus.sel, lanes)
            ctx.set(bus.we, word is not None)
            ctx.set(bus.dat_w, word or 0)
            ctx.set(bus.cyc, 1)
            ctx.set(bus.stb, 1)
            answer = None
            for cycle in range(patience):
                if ctx.get(registers.write):
                    written.append((ctx.get(registers.write_index), ctx.get(registers.write_data)))
                if ctx.get(bus.ack) or ctx.get(bus.err):
                    answer = "err" if ctx.get(bus.err) else "ack", ctx.get(bus.dat_r), cycle
                await ctx.tick()
                if answer:
                    break
            ctx.set(bus.cyc, 0)
            assert not ctx.get(bus.ack)
            assert not ctx.get(bus.err)
            return answer

        await script(access, ctx)

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return written


@pytest.mark.parametrize("pause", [0, 1, 3])
def test_accesses(pause):
    async def script(access, ctx):
        async def rest():
            for _ in range(pause):
                await ctx.tick()

        for index in 2, 7:
            answer, _, cycles = await access(index, 0xDEADBEE0 + index)
            assert (answer, cycles) == ("ack", 1)
            await rest()
            assert await access(index) == ("ack", 0x100 + index, 3)
            await rest()

    assert run(script) == [(2, 0xDEADBEE2), (7, 0xDEADBEE7)]


def test_refused_accesses():
    async def script(access, ctx):
        assert (await access(8, 1))[0] == "err"
        assert (await access(1, 1, lanes=7))[0] == "err"
        assert (await access(63))[0] == "err"
        assert (await access(1, lanes=1))[:2] == ("ack", 0x101)

    assert run(script) == []


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_a_read_given_up(patience):
    async def script(access, ctx):
        assert await access(3, patience=patience) is None
        await ctx.tick()
        assert await access(5) == ("ack", 0x105, 3)

    assert run(script) == []


def test_refused_parameters():
    with pytest.raises(ValueError, match="must be 1 to 64 with word addresses of 6 bits, not 65"):
        WishboneSlave(6, 65)
