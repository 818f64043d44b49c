# amaranth: UnusedElaboratable=no

"""ExternalParameters == the program's beats, in order, each with its place in the stores."""

import random
from itertools import product

import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from fxhw.gateware.external_parameters import ExternalParameters
from fxhw.plan.parameters import word_beats
from fxhw.plan.program import DESCRIPTOR_WORDS, Kind

from .axi_memory import AxiMemory
from .designs import small_design
from .mutants import mutant

ORIGIN = 1 << 12
SIZE = 1 << 15


def design(**changes):
    fields = {"memory": "axi", "address_bits": 32, "bus_bits": 64}
    return small_design(**{**fields, "feature_words": 0, "parameter_beats": 0, **changes})


class Program:
    """Drives the port as the sequencer does, and notes what comes."""

    def __init__(self, dut, plan, memory, limit=SIZE - ORIGIN):
        self.dut, self.plan, self.memory, self.limit = dut, plan, memory, limit
        self.descriptor, self.loads = [], []
        self.strayed = self.done = False

    def run(self, script, cycles=20_000):
        """Run ``script(ctx)``; the memory answers meanwhile."""
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.dut = self.dut
        simulator = Simulator(m)
        simulator.add_clock(1e-6)

        async def drive(ctx):
            ctx.set(self.dut.origin, ORIGIN)
            ctx.set(self.dut.limit, self.limit)
            ctx.set(self.dut.port.rewind, 1)
            await ctx.tick()
            await script(ctx)
            self.done = True

        async def watch(ctx):
            for _ in range(cycles):
                await ctx.tick()
                self._note(ctx)
                if self.done:
                    break
            assert self.done, f"not done after {cycles} cycles"

        simulator.add_testbench(drive, background=True)
        simulator.add_testbench(self.memory.serve_reads(self.dut.read), background=True)
        simulator.add_testbench(watch)
        simulator.run()

    def _note(self, ctx):
        port, load = self.dut.port, self.dut.load
        if ctx.get(port.valid):
            self.descriptor.append(ctx.get(port.data))
        targets = ctx.get(self.dut.targets)
        assert ctx.get(load.valid) == (targets != 0)
        if targets:
            names = ("second", "bank", "word", "beat", "data")
            self.loads.append((targets, *(ctx.get(getattr(load, name)) for name in names)))
        self.strayed = self.strayed or bool(ctx.get(port.stray))

    async def fetch(self, ctx):
        """A descriptor; returns when its last beat is there, or an address was astray."""
        port = self.dut.port
        await self.begin(ctx)
        beats = 32 * DESCRIPTOR_WORDS // self.plan.bus_bits
        seen = len(self.descriptor) + beats
        while len(self.descriptor) < seen and not self.strayed:
            await ctx.tick()
        ctx.set(port.active, 1)

    async def begin(self, ctx):
        port = self.dut.port
        ctx.set(port.rewind, 0)
        ctx.set(port.active, 1)
        ctx.set(port.fetch, 1)
        await ctx.tick()
        ctx.set(port.fetch, 0)

    async def load(self, ctx, kind, address, words, bank):
        """Both sections of a step, of ``words`` words each."""
        port = self.dut.port
        ctx.set(port.kind, kind)
        ctx.set(port.address, address)
        ctx.set(port.bank, bank)
        for section, count in enumerate(words):
            ctx.set(port.section, section)
            ctx.set(port.last_word, count - 1)
            ctx.set(port.load, 1)
            while not ctx.get(port.loaded) and not self.strayed:
                await ctx.tick()
            ctx.set(port.load, 0)
            await ctx.tick().repeat(3)

    async def end(self, ctx):
        """The step is prepared; what was loaded last reaches its store meanwhile."""
        ctx.set(self.dut.port.active, 0)
        await ctx.tick().repeat(2)


def expected_loads(plan, memory, kind, address, words, bank):
    beat = plan.bus_bits // 8
    at = ORIGIN + beat * address
    loads = []
    for section, (count, size) in enumerate(zip(words, word_beats(plan)[kind])):
        for word, part in product(range(count), range(size)):
            loads.append((1 << kind, section, bank, word, part, memory.word(at)))
            at += beat
    return loads


STEPS = [
    (Kind.FRONT, 100, (2, 2), 0),
    (Kind.HEAD, 7, (3, 1), 1),
    (Kind.CONV, 333, (8, 4), 1),
    (Kind.CONV, 64, (1, 1), 0),
]


def run_steps(steps, bus_bits=64, start=3, seed=0, component=ExternalParameters, **timing):
    plan = design(bus_bits=bus_bits)
    dut = component(plan)
    memory = AxiMemory(plan.bursts, SIZE, seed=seed, **timing)
    program = Program(dut, plan, memory)
    rng = random.Random(seed)

    async def script(ctx):
        ctx.set(dut.port.program, start)
        await ctx.tick().repeat(2)
        for step in steps:
            await program.fetch(ctx)
            await ctx.tick().repeat(rng.randrange(20))
            await program.load(ctx, *step)
            await program.end(ctx)
            await ctx.tick().repeat(rng.randrange(20))

    program.run(script)
    beats = 32 * DESCRIPTOR_WORDS // bus_bits
    base = ORIGIN + start * bus_bits // 8
    words = [memory.word(base + n * bus_bits // 8) for n in range(beats * len(steps))]
    assert program.descriptor == words, "descriptors lie one behind the other"
    assert program.loads == [
        load for step in steps for load in expected_loads(plan, memory, *step)
    ]
    return program


@pytest.mark.parametrize("bus_bits", [64, 128, 256])
def test_steps(bus_bits):
    run_steps(STEPS, bus_bits)


@pytest.mark.parametrize("seed", range(3))
def test_slow_memory(seed):
    run_steps(STEPS, seed=seed, latency=30, gap=0.4, stall=0.4)


def test_throughput():
    """Words of 6 beats come without a pause but for the latency."""
    plan = design(pin=8, pout=8, weight_words=64)
    size = word_beats(plan)[Kind.CONV][0]
    assert size >= 6
    dut = ExternalParameters(plan)
    memory = AxiMemory(plan.bursts, SIZE, latency=40)
    program = Program(dut, plan, memory)
    cycles = []
    note = program._note

    def count(ctx):
        note(ctx)
        cycles.append(bool(ctx.get(dut.targets)) and not ctx.get(dut.load.second))

    program._note = count

    async def script(ctx):
        await program.fetch(ctx)
        await program.load(ctx, Kind.CONV, 8, (20, 1), 0)
        await program.end(ctx)

    program.run(script)
    first, last = cycles.index(True), len(cycles) - cycles[::-1].index(True)
    assert sum(cycles) == 20 * size
    assert last - first <= 1.02 * 20 * size


@pytest.mark.parametrize(("limit", "strays"), [(64 * 8, True), (8 * (64 + 8), False)])
def test_nothing_past_the_range_is_read(limit, strays):
    """The second section ends where the range does, or a beat behind it."""
    plan = design()
    dut = ExternalParameters(plan)
    memory = AxiMemory(plan.bursts, SIZE)
    program = Program(dut, plan, memory, limit=limit)
    sizes = word_beats(plan)[Kind.CONV]
    address = 64 + 8 - 2 * sizes[0] - 2 * sizes[1]

    async def script(ctx):
        await program.fetch(ctx)
        await program.load(ctx, Kind.CONV, address, (2, 2), 0)
        await program.end(ctx)

    program.run(script)
    assert program.strayed == strays
    assert all(at + 8 * beats <= ORIGIN + limit for at, beats in memory.reads)


@pytest.mark.parametrize("start", [(1 << 32) - 1, (1 << 29) + 5, SIZE // 8])
def test_a_program_that_starts_past_the_range(start):
    plan = design()
    dut = ExternalParameters(plan)
    memory = AxiMemory(plan.bursts, SIZE)
    program = Program(dut, plan, memory)

    async def script(ctx):
        ctx.set(dut.port.program, start)
        await ctx.tick().repeat(2)
        await program.fetch(ctx)
        await program.end(ctx)

    program.run(script)
    assert program.strayed
    assert not memory.reads


@pytest.mark.parametrize("wait", [1, 5, 12, 30, 60])
def test_given_up_and_begun_again(wait):
    """Whatever was on its way when a run ends is none of the next one's business."""
    plan = design()
    dut = ExternalParameters(plan)
    memory = AxiMemory(plan.bursts, SIZE, latency=20, gap=0.2, seed=wait)
    program = Program(dut, plan, memory)

    async def script(ctx):
        port = dut.port
        await program.begin(ctx)
        await ctx.tick().repeat(wait)
        ctx.set(port.active, 0)
        ctx.set(port.rewind, 1)
        ctx.set(dut.cancel, 1)
        ctx.set(dut.clear, 1)
        await ctx.tick()
        ctx.set(dut.cancel, 0)
        ctx.set(dut.clear, 0)
        await ctx.tick().repeat(4)
        while not ctx.get(dut.idle):
            await ctx.tick()
        program.descriptor.clear()
        await program.fetch(ctx)
        await program.load(ctx, *STEPS[2])
        await program.end(ctx)

    program.run(script)
    assert program.descriptor == [memory.word(ORIGIN + 8 * n) for n in range(8)]
    assert program.loads == expected_loads(plan, memory, *STEPS[2])


def test_an_error_is_told_and_forgotten():
    plan = design()
    dut = ExternalParameters(plan)
    memory = AxiMemory(plan.bursts, SIZE, latency=5, fail={ORIGIN + 8 * 335})
    program = Program(dut, plan, memory)

    async def script(ctx):
        port = dut.port
        await program.fetch(ctx)
        ctx.set(port.kind, Kind.CONV)
        ctx.set(port.address, 333)
        ctx.set(port.last_word, 7)
        ctx.set(port.load, 1)
        while not ctx.get(dut.fault):
            await ctx.tick()
        ctx.set(port.load, 0)
        ctx.set(port.active, 0)
        ctx.set(port.rewind, 1)
        ctx.set(dut.cancel, 1)
        ctx.set(dut.clear, 1)
        await ctx.tick()
        ctx.set(dut.cancel, 0)
        ctx.set(dut.clear, 0)
        await ctx.tick()
        assert not ctx.get(dut.fault)
        while not ctx.get(dut.idle):
            await ctx.tick()
        memory.fail = set()
        program.loads.clear()
        await program.fetch(ctx)
        await program.load(ctx, *STEPS[2])
        await program.end(ctx)

    program.run(script)
    assert program.loads == expected_loads(plan, memory, *STEPS[2])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("address.eq(end), left", "address.eq(end + 1), left"),
        ("following.eq(address)", "following.eq(address + 1)"),
        ("count.eq(port.last_word + 1)", "count.eq(port.last_word)"),
        ("loading.eq(~port.fetch)", "loading.eq(0)"),
        ("load.second.eq(port.section)", "load.second.eq(0)"),
    ],
    ids=["a beat left out", "next descriptor", "a word too few", "section begun again", "section"],
)
def test_broken_blocks_are_caught(old, new):
    with pytest.raises(AssertionError):
        run_steps(STEPS, component=mutant(ExternalParameters, old, new))
