# amaranth: UnusedElaboratable=no

"""WishboneMaster moves every beat of readers and writers, in turns, as fast as the bus."""

import pytest
from amaranth.hdl import Elaboratable, Module
from amaranth.lib.wiring import Out

from fxhw.gateware.bus_share import ReadShare
from fxhw.gateware.wishbone import WishboneSignature
from fxhw.gateware.wishbone_memory import WishboneMaster
from fxhw.plan.bursts import BurstSpec

from .bus_design import BusDesign
from .mutants import mutant
from .simulate import simulate_stream
from .test_burst_reader import expected_beats, expected_bursts
from .test_burst_writer import words_of, written
from .wishbone_memory import WishboneMemory

SIZE = 1 << 15
HALF = SIZE // 2


class Bridged(Elaboratable):
    """Two readers and two writers at one Wishbone bus."""

    def __init__(self, spec, master=WishboneMaster, **options):
        self.design = BusDesign(spec, id_bits=1, **options)
        self.master = master(spec, 1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.design = design = self.design
        m.submodules.master = master = self.master
        reads = ReadShare(master._spec, (1,), 1).bus.signature.members
        for name, member in design.bus.signature.members.items():
            port = master.reads if name in reads else master.writes
            outer, inner = getattr(port, name), getattr(design.bus, name)
            m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
        return m


def run(spec, memory, reads, writes, master=WishboneMaster, **options):
    """Both readers' and writers' commands; the run, and what memory must hold behind it."""
    dut = Bridged(spec, master, **options.pop("parameters", {}))
    words = [words_of(spec, commands, seed=n) for n, commands in enumerate(writes)]
    beats = {f"design.reader{n}_o": expected_beats(memory, c) for n, c in enumerate(reads)}
    after = memory.bytes
    for commands, data in zip(writes, words):
        after, _ = written(spec, after, commands, data)
    inputs = {f"design.reader{n}_commands": commands for n, commands in enumerate(reads)}
    inputs |= {f"design.writer{n}_commands": commands for n, commands in enumerate(writes)}
    inputs |= {f"design.writer{n}_i": data for n, data in enumerate(words)}
    done = simulate_stream(
        dut, inputs, {name: len(expected) for name, expected in beats.items()}, surplus=400,
        background=[memory.serve(dut.master.bus)], **options,
    )
    for name, expected in beats.items():
        assert done.outputs[name] == expected
    assert memory.bytes == after
    return done


@pytest.mark.parametrize(
    ("spec", "parameters"),
    [
        (BurstSpec(8, 16), {}),
        (BurstSpec(32, 64), {"depth": 128}),
        (BurstSpec(16, 1), {"depth": 2, "outstanding": 2}),
        (BurstSpec(8, 256, address_bits=64), {"depth": 256, "outstanding": 1}),
    ],
    ids=["usual", "wide", "single beats", "long bursts"],
)
@pytest.mark.parametrize("pause", [0.0, 0.5])
def test_every_beat(spec, parameters, pause):
    memory = WishboneMemory(spec, SIZE, pause=pause, seed=2)
    step = spec.bus_bytes
    reads = [
        [{"address": step * (7 + 40 * n + k), "beats": (37, 0, 1, 90)[k]} for k in range(4)]
        for n in range(2)
    ]
    writes = [
        [{"address": HALF + 0x1000 * n + 701 * k, "bytes": (600, 1, 0, 333)[k]} for k in range(4)]
        for n in range(2)
    ]
    run(
        spec, memory, reads, writes, parameters=parameters, seed=3,
        idle=pause / 2, stall={f"design.reader{n}_o": pause for n in range(2)},
    )
    asked = [(burst[1], burst[2]) for burst in memory.bursts if not burst[0]]
    expected = [burst for commands in reads for burst in expected_bursts(spec, commands)]
    assert sorted(asked) == sorted(expected)


def test_a_beat_per_cycle_and_one_between_bursts():
    """Reads and writes together keep the bus as busy as it can be, and take turns."""
    spec = BurstSpec(8, 16)
    memory = WishboneMemory(spec, SIZE)
    reads = [[{"address": 0x1000 * n, "beats": 400}] for n in range(2)]
    writes = [[{"address": HALF + 0x1000 * n, "bytes": 3200}] for n in range(2)]
    done = run(spec, memory, reads, writes)
    cycles = [cycle for name in done.given for cycle in done.given[name]]
    assert memory.busy == 1600
    assert max(cycles) - min(cycles) <= 1600 * 17 / 16 + 40
    kinds = [burst[0] for burst in memory.bursts[8:80]]
    assert kinds == [kinds[0], not kinds[0]] * 36


class TestBrokenMasters:
    """The memory's checks see them."""

    SPEC = BurstSpec(8, 16)

    def fails(self, m_change, match):
        memory = WishboneMemory(self.SPEC, SIZE, pause=0.3)
        master = mutant(WishboneMaster, *m_change)
        with pytest.raises((AssertionError, TimeoutError), match=match):
            run(self.SPEC, memory, [[{"address": 64, "beats": 40}], []],
                [[{"address": HALF, "bytes": 400}], []], master)

    @pytest.mark.parametrize(
        ("old", "new", "match"),
        [
            ("place.eq(place + 1)", "place.eq(place + 2)", "follows"),
            ("self._left == 1)", "self._left == 2)", "nothing moved"),
            ("bus.cyc.eq(~(self._last | self._bad))", "bus.cyc.eq(0)", "a burst was left|STB"),
            ("(bus.cyc & (bus.ack | bus.err))", "bus.cyc", "became|follows"),
        ],
        ids=["skips", "short", "left", "does not wait"],
    )
    def test_seen(self, old, new, match):
        self.fails((old, new), match)


def test_refused_signatures():
    with pytest.raises(ValueError, match="Wishbone address bits must be 1 to 64, not 0"):
        WishboneSignature(0, 64)
    with pytest.raises(ValueError, match="must be a power of two from 8 to 512, not 48"):
        WishboneSignature(30, 48)
