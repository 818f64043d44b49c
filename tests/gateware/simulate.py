"""Runs a stream component in Amaranth's simulator: seeded flow control, contract checks, watchdog.

    outputs = run_stream(dut, words, count, idle=0.3, stall=0.5, seed=1, setup={"width": 7})

The sources obey the stream contract; the outputs are checked against it in every cycle.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from amaranth.hdl import ClockDomain, Module
from amaranth.lib import data
from amaranth.sim import Simulator

__all__ = ["Run", "Sink", "Source", "member", "plain", "run_stream", "simulate_stream"]


def member(dut, path):
    """The port of ``dut`` called ``path``: ``"i"``, ``"o.1"``, ``"config.width"``."""
    port = dut
    for name in str(path).split("."):
        port = port[int(name)] if name.isdigit() else getattr(port, name)
    return port


def plain(value):
    """``value`` read from the simulator as an int, or lists and dicts of ints."""
    if not isinstance(value, data.Const):
        return int(value)
    layout = value.shape()
    if isinstance(layout, data.ArrayLayout):
        return [plain(value[n]) for n in range(layout.length)]
    if isinstance(layout, data.StructLayout):
        return {name: plain(value[name]) for name in layout.members}
    return value.as_bits()


@dataclass
class Run:
    """What happened: words and the cycle of every transfer, by port name."""

    outputs: dict
    taken: dict = field(default_factory=dict)  # input port -> cycle in which each word was accepted
    given: dict = field(default_factory=dict)  # output port -> cycle in which each word was taken


class Source:
    """Offers ``words``; pauses before a word with probability ``idle`` in each cycle."""

    def __init__(self, port, words, idle, rng):
        words = words.tolist() if hasattr(words, "tolist") else list(words)  # no NumPy integers
        self.port, self.words, self.idle, self.rng = port, words, idle, rng
        self.valid = False
        self.cycles = []

    def done(self):
        return len(self.cycles) == len(self.words)

    def drive(self, ctx):
        if not self.valid and not self.done() and self.rng.random() >= self.idle:
            self.valid = True
            ctx.set(self.port.payload, self.words[len(self.cycles)])
        ctx.set(self.port.valid, self.valid)

    def observe(self, name, cycle, valid, ready, payload):
        if valid and ready:
            self.cycles.append(cycle)
            self.valid = False
            return True
        return False


class Sink:
    """Takes words; refuses with probability ``stall`` in each cycle."""

    def __init__(self, port, count, stall, rng):
        self.port, self.count, self.stall, self.rng = port, count, stall, rng
        self.words, self.cycles = [], []
        self.waiting = None  # word that has been refused and must be offered again

    def done(self):
        return len(self.words) >= self.count

    def drive(self, ctx):
        ctx.set(self.port.ready, self.rng.random() >= self.stall)

    def observe(self, name, cycle, valid, ready, payload):
        if self.waiting is not None:
            assert valid, f"cycle {cycle}: {name} withdrew a word that was not taken"
            assert payload == self.waiting, (
                f"cycle {cycle}: {name} changed a waiting word from {self.waiting} to {payload}"
            )
        self.waiting = payload if valid and not ready else None
        if valid and ready:
            self.words.append(payload)
            self.cycles.append(cycle)
            return True
        return False


def _rate(rates, name):
    return rates.get(name, 0.0) if isinstance(rates, Mapping) else rates


def simulate_stream(
    dut, inputs, count, *, idle=0.0, stall=0.0, seed=0, setup=None, pulse=(), background=(),
    timeout=1000, surplus=8, vcd=None,
) -> Run:
    """Feeds ``dut`` and collects its outputs.

    Parameters
    ----------
    dut : component with stream ports in the ``sync`` domain.
    inputs : words for port ``i``, or a mapping of port names to words.
    count : words expected at port ``o``, or a mapping of port names to such counts.
    idle, stall : chance in each cycle that a source or a sink pauses; or a mapping by port name.
    seed : of the pauses.
    setup : values of other inputs by port name, set before the first cycle and held.
    pulse : names of one-bit inputs to hold high for one cycle before the first word.
    background : ``async def f(ctx)`` testbenches to run beside (memories, monitors).
    timeout : cycles without any transfer after which the run fails.
    surplus : cycles to go on for after the last word, to catch words that should not be there.
    vcd : file to write waves to.

    Raises
    ------
    AssertionError if an output breaks the stream contract, or offers more words than ``count``.
    TimeoutError if nothing moves for ``timeout`` cycles.
    """
    inputs = inputs if isinstance(inputs, Mapping) else {"i": inputs}
    count = count if isinstance(count, Mapping) else {"o": count}
    # One generator per port: a port's pauses do not depend on how the other ports fare.
    sources = {
        name: Source(member(dut, name), words, _rate(idle, name), random.Random(f"{seed}{name}"))
        for name, words in inputs.items()
    }
    sinks = {
        name: Sink(member(dut, name), words, _rate(stall, name), random.Random(f"{seed}{name}"))
        for name, words in count.items()
    }
    ends = {**sources, **sinks}
    ports = [end.port for end in ends.values()]
    sampled = [signal for port in ports for signal in (port.valid, port.ready, port.payload)]

    def progress():
        return ", ".join(
            [f"{name} accepted {len(s.cycles)} of {len(s.words)}" for name, s in sources.items()]
            + [f"{name} produced {len(s.words)} of {s.count}" for name, s in sinks.items()]
        )

    async def bench(ctx):
        for name, value in (setup or {}).items():
            ctx.set(member(dut, name), value)
        if setup and pulse:
            await ctx.tick()  # what a pulse starts is set up in the cycle before
        for value in (1, 0) if pulse else ():
            for name in pulse:
                ctx.set(member(dut, name), value)
            if value:
                await ctx.tick()

        cycle, moved, finished = 0, 0, None
        while finished is None or cycle < finished + surplus:
            for end in ends.values():
                end.drive(ctx)
            _, _, *values = await ctx.tick().sample(*sampled)
            for (name, end), at in zip(ends.items(), range(0, len(values), 3)):
                valid, ready, payload = values[at : at + 3]
                if end.observe(name, cycle, valid, ready, plain(payload) if valid else None):
                    moved = cycle
            cycle += 1
            if finished is None and all(end.done() for end in ends.values()):
                finished = cycle
            elif finished is None and cycle > moved + timeout:
                raise TimeoutError(f"nothing moved for {timeout} cycles; {progress()}")

        for name, sink in sinks.items():
            assert len(sink.words) == sink.count, (
                f"{name} produced {len(sink.words)} words or more, not {sink.count}"
            )

    top = Module()
    top.domains.sync = ClockDomain()  # for components without a register of their own
    top.submodules.dut = dut

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    for testbench in background:
        simulator.add_testbench(testbench, background=True)
    if vcd:
        with simulator.write_vcd(vcd):
            simulator.run()
    else:
        simulator.run()

    return Run(
        outputs={name: sink.words for name, sink in sinks.items()},
        taken={name: source.cycles for name, source in sources.items()},
        given={name: sink.cycles for name, sink in sinks.items()},
    )


def run_stream(dut, inputs, count, **options):
    """:func:`simulate_stream`'s output words: a list, or a dict of lists if ``count`` is one."""
    outputs = simulate_stream(dut, inputs, count, **options).outputs
    return outputs if isinstance(count, Mapping) else outputs["o"]
