"""Runs a component through several phases of one simulation, each with streams of its own.

    bench = Phases(dut, idle=0.3, stall=0.3, seed=1)

    @bench.run(background=[memory.serve_reads(dut.bus)])
    async def _(ctx):
        first = await bench.phase(ctx, setup={"height": 3}, pulse=["start"], count={"o": 12})
        await bench.phase(ctx, pulse=["cancel"], until=lambda: ctx.get(dut.idle))
"""

import random

from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from .simulate import Sink, Source, member, plain

__all__ = ["Phases"]


class Phases:
    """See the module.

    Parameters
    ----------
    dut : component with stream ports in the ``sync`` domain.
    idle, stall : chance in each cycle that a source or a sink pauses.
    seed : of the pauses.
    watch : names of one-bit outputs; cycles in which each is high are counted in ``seen``.
    """

    def __init__(self, dut, *, idle=0.0, stall=0.0, seed=0, watch=()):
        self.dut, self.idle, self.stall = dut, idle, stall
        self.rng = random.Random(seed)
        self.seen = dict.fromkeys(watch, 0)
        self.cycle = 0

    def run(self, background=()):
        """Decorator that runs ``async def f(ctx)``."""

        def start(body):
            top = Module()
            top.domains.sync = ClockDomain()
            top.submodules.dut = self.dut
            simulator = Simulator(top)
            simulator.add_clock(1e-6)
            simulator.add_testbench(body)
            for testbench in background:
                simulator.add_testbench(testbench, background=True)
            simulator.run()

        return start

    async def phase(
        self, ctx, *, setup=None, pulse=(), inputs=None, count=None, until=lambda: True,
        timeout=2000, surplus=0,
    ):
        """Words of each output, once all inputs and outputs are done and ``until()`` holds, or
        when ``until`` is ``None`` and ``surplus`` cycles are over.

        A source or a sink that is not done leaves its word, as after a cancellation.
        """
        dut = self.dut
        sources = {
            name: Source(member(dut, name), words, self.idle, self.rng)
            for name, words in (inputs or {}).items()
        }
        sinks = {
            name: Sink(member(dut, name), wanted, self.stall, self.rng)
            for name, wanted in (count or {}).items()
        }
        ends = {**sources, **sinks}
        for name, value in (setup or {}).items():
            ctx.set(member(dut, name), value)
        watched = [member(dut, name) for name in self.seen]
        if setup and pulse:  # what a pulse starts is set up in the cycle before
            _, _, *values = await ctx.tick().sample(*watched)
            for name, value in zip(self.seen, values):
                self.seen[name] += value
        for name in pulse:
            ctx.set(member(dut, name), 1)
        cycle = left = 0
        while until is None or left <= surplus:
            for end in ends.values():
                end.drive(ctx)
            ports = [end.port for end in ends.values()]
            signals = [s for port in ports for s in (port.valid, port.ready, port.payload)]
            _, _, *values = await ctx.tick().sample(*watched, *signals)
            for name in pulse:
                ctx.set(member(dut, name), 0)
            for name, value in zip(self.seen, values):
                self.seen[name] += value
            values = values[len(self.seen) :]
            for (name, end), at in zip(ends.items(), range(0, len(values), 3)):
                valid, ready, payload = values[at : at + 3]
                end.observe(name, cycle, valid, ready, plain(payload) if valid else None)
            cycle += 1
            if until is None:
                if cycle > surplus:
                    break
            elif all(end.done() for end in ends.values()) and cycle > 1 and until():
                left += 1
            elif cycle > timeout:
                raise TimeoutError(
                    f"nothing ended within {timeout} cycles; "
                    + ", ".join(f"{name}: {len(end.cycles)}" for name, end in ends.items())
                )
        for end in sources.values():
            ctx.set(end.port.valid, 0)
        for end in sinks.values():
            ctx.set(end.port.ready, 0)
        self.cycle = cycle
        for name, sink in sinks.items():
            assert until is None or len(sink.words) == sink.count, (
                f"{name} produced {len(sink.words)} words or more, not {sink.count}"
            )
        return {name: sink.words for name, sink in sinks.items()}
