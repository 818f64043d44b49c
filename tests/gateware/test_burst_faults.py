"""Errors and cancellations of the burst reader and writer: nothing is left over afterwards."""

import random

import pytest
from amaranth.sim import Simulator

from fxhw.gateware.burst_reader import BurstReader
from fxhw.gateware.burst_writer import BurstWriter
from fxhw.plan.bursts import BurstSpec

from .axi_memory import AxiMemory
from .mutants import mutant

SPEC = BurstSpec(8, 16)
SIZE = 1 << 14


class Bench:
    """Drives one block by hand: a command, its words, and what comes back."""

    def __init__(self, dut, seed):
        self.dut = dut
        self.rng = random.Random(seed)

    async def push(self, ctx, port, payload, limit=500):
        """Offer one word until it is taken; whether it was, within ``limit`` cycles."""
        ctx.set(port.payload, payload)
        ctx.set(port.valid, 1)
        for _ in range(limit):
            taken = ctx.get(port.ready)
            await ctx.tick()
            if taken:
                break
        ctx.set(port.valid, 0)
        return taken

    async def pulse(self, ctx, signal):
        ctx.set(signal, 1)
        await ctx.tick()
        ctx.set(signal, 0)

    async def take(self, ctx, count, limit=1000):
        """The next ``count`` beats of a reader, taken with pauses."""
        beats = []
        for _ in range(limit):
            ready = self.rng.random() < 0.7
            ctx.set(self.dut.o.ready, ready)
            if ready and ctx.get(self.dut.o.valid):
                beats.append((ctx.get(self.dut.o.payload.data), ctx.get(self.dut.o.payload.last)))
            await ctx.tick()
            if len(beats) == count:
                break
        ctx.set(self.dut.o.ready, 0)
        return beats

    async def until(self, ctx, signal, limit=1000):
        for _ in range(limit):
            if ctx.get(signal):
                return
            await ctx.tick()
        raise TimeoutError

    def run(self, script, *servers):
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(script)
        for server in servers:
            simulator.add_testbench(server, background=True)
        simulator.run()


def beats_at(memory, address, count):
    return [(memory.word(address + 8 * n), int(n == count - 1)) for n in range(count)]


@pytest.mark.parametrize("when", range(0, 70, 3))
def test_cancelled_read(when):
    """Whatever the reader is at, the next command gives its own beats and no others."""
    dut = BurstReader(SPEC, depth=32, outstanding=3)
    bench, memory = Bench(dut, when), AxiMemory(SPEC, SIZE, latency=10, gap=0.3, stall=0.3)

    async def script(ctx):
        assert await bench.push(ctx, dut.commands, {"address": 0x1F8, "beats": 300})
        await bench.take(ctx, 1000, limit=when)
        await bench.pulse(ctx, dut.cancel)
        for _ in range(3):
            assert not ctx.get(dut.o.valid)
            assert not ctx.get(dut.commands.ready) or ctx.get(dut.idle)
            await ctx.tick()
        await bench.until(ctx, dut.idle)
        assert not ctx.get(dut.fault)
        assert await bench.push(ctx, dut.commands, {"address": 0x1000, "beats": 21})
        assert await bench.take(ctx, 21) == beats_at(memory, 0x1000, 21)
        await bench.until(ctx, dut.idle)

    bench.run(script, memory.serve_reads(dut.bus))


@pytest.mark.parametrize("failing", [0, 1, 15, 16, 40, 99])
def test_failing_beat(failing):
    """A fault stays, nothing after it is given, nothing begins until it is cleared."""
    address = 0x100
    dut = BurstReader(SPEC, depth=32, outstanding=3)
    memory = AxiMemory(SPEC, SIZE, latency=5, gap=0.2, fail=[address + 8 * failing])
    bench = Bench(dut, failing)

    async def script(ctx):
        assert await bench.push(ctx, dut.commands, {"address": address, "beats": 100})
        got = await bench.take(ctx, 1000, limit=400)
        assert len(got) <= failing
        assert got == beats_at(memory, address, 100)[: len(got)]
        assert ctx.get(dut.fault)
        await bench.until(ctx, dut.idle)
        assert not await bench.push(ctx, dut.commands, {"address": 0, "beats": 1}, limit=20)
        assert ctx.get(dut.fault)
        await bench.pulse(ctx, dut.clear)
        assert not ctx.get(dut.fault)
        assert await bench.push(ctx, dut.commands, {"address": 0x1000, "beats": 40})
        assert await bench.take(ctx, 40) == beats_at(memory, 0x1000, 40)
        await bench.until(ctx, dut.idle)
        assert not ctx.get(dut.fault)

    bench.run(script, memory.serve_reads(dut.bus))


def check_recovery(dut, memory, bench):
    """A script: a good write after whatever was before."""

    async def recover(ctx):
        for n in range(3):
            assert await bench.push(ctx, dut.i, 0x0101010101010101 * (n + 1))
        assert await bench.push(ctx, dut.commands, {"address": 0x2005, "bytes": 17})
        await bench.until(ctx, dut.idle)
        assert not ctx.get(dut.fault)
        expected = b"\x01" * 3 + b"\x02" * 8 + b"\x03" * 6
        assert memory.bytes[0x2005 : 0x2005 + 17] == expected

    return recover


def cancel_a_write(when, block=BurstWriter):
    """Give the writer ``when`` words of a command, cancel it, look at the memory, write again."""
    dut = block(SPEC, depth=32, outstanding=3)
    bench, memory = Bench(dut, when), AxiMemory(SPEC, SIZE, latency=10, gap=0.3, stall=0.4)
    before = bytes(memory.bytes)
    words = [bench.rng.getrandbits(64) for _ in range(100)]

    async def script(ctx):
        assert await bench.push(ctx, dut.commands, {"address": 0x103, "bytes": 797})
        for n in range(when):
            await bench.push(ctx, dut.i, words[n])
        await bench.pulse(ctx, dut.cancel)
        await bench.until(ctx, dut.idle)
        assert sum(beats for _, beats in memory.writes) == len(memory.lanes)
        now = bytes(memory.bytes)
        assert now[:0x103] == before[:0x103]
        assert now[0x103 + 797 :] == before[0x103 + 797 :]
        # What was written at all is a beginning of the words.
        whole = b"".join(word.to_bytes(8, "little") for word in words)[3 : 3 + 797]
        prefix = next((n for n in range(797) if now[0x103 + n] != whole[n]), 797)
        assert now[0x103 + prefix : 0x103 + 797] == before[0x103 + prefix : 0x103 + 797]
        await check_recovery(dut, memory, bench)(ctx)

    bench.run(script, memory.serve_writes(dut.bus))


@pytest.mark.parametrize("when", range(0, 90, 4))
def test_cancelled_write(when):
    """Bursts that were issued are completed, nothing outside the command is written, and the
    next command writes its own words."""
    cancel_a_write(when)


def test_words_of_a_burst_dropped_are_missed():
    broken = mutant(BurstWriter, "dropping & ~(self._active | self._waiting)", "dropping")
    with pytest.raises(TimeoutError):
        cancel_a_write(20, broken)


@pytest.mark.parametrize("failing", [0x100, 0x180, 0x400])
def test_failing_burst(failing):
    dut = BurstWriter(SPEC, depth=32, outstanding=3)
    memory = AxiMemory(SPEC, SIZE, latency=5, gap=0.2, stall=0.2, fail=[failing])
    bench = Bench(dut, failing)

    async def script(ctx):
        assert await bench.push(ctx, dut.commands, {"address": 0x100, "bytes": 0x380})
        for n in range(0x70):
            if not await bench.push(ctx, dut.i, n, limit=100):
                break
        await bench.until(ctx, dut.fault)
        await bench.until(ctx, dut.idle)
        assert sum(beats for _, beats in memory.writes) == len(memory.lanes)
        assert not await bench.push(ctx, dut.commands, {"address": 0, "bytes": 1}, limit=20)
        assert not await bench.push(ctx, dut.i, 0, limit=20)
        assert ctx.get(dut.fault)
        await bench.pulse(ctx, dut.clear)
        assert not ctx.get(dut.fault)
        await check_recovery(dut, memory, bench)(ctx)

    bench.run(script, memory.serve_writes(dut.bus))
