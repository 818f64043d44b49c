# amaranth: UnusedElaboratable=no

"""No row outside its range is ever asked for, and no range that meets another is let through."""

from itertools import combinations

import pytest
from amaranth.asserts import AnyConst
from amaranth.hdl import (
    Assert,
    Assume,
    Cat,
    Const,
    Cover,
    Elaboratable,
    Module,
    Mux,
    Signal,
    Value,
)

from fxhw.gateware.external_writer import ExternalWriter
from fxhw.gateware.range_check import RangeCheck
from fxhw.gateware.row_fetcher import RowFetcher
from fxhw.plan.bursts import BurstSpec
from fxhw.plan.packed_words import PackedWords
from fxhw.plan.registers import ErrorCode

from .prover import prove
from .test_bursts import drive, holds
from .test_datapath_streams import mutant

pytestmark = pytest.mark.formal

PACKED = PackedWords(16, 32)
BURSTS = BurstSpec(4, address_bits=33, max_count=16)


def choose(m, *signals):
    """Let the solver choose once."""
    for signal in signals:
        value = Value.cast(signal)
        m.d.comb += value.eq(AnyConst(len(value)))


class _Pieces(Elaboratable):
    """Pieces lie in the range; they wait unchanged; some are asked for and some refused.

    Bases and strides are small, or as large as can be, so that sums wrap around.
    """

    def __init__(self, dut):
        self.dut = dut

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        drive(m, *self.streams(m))
        places = self.configure(m)
        choose(m, dut.width, dut.height, dut.origin, dut.limit)
        begun = Signal()
        m.d.sync += begun.eq(1)
        m.d.comb += [
            dut.start.eq(~begun),
            Assume((dut.width != 0) & (dut.height != 0)),
            Assume((dut.height <= 3) & (dut.limit < 64)),
            Assume((dut.origin < 16) & (dut.origin[: BURSTS.lane_bits] == 0)),
            *(Assume(~place[0] & (~place[5:].any() | place[5:].all())) for place in places),
        ]
        bus = PACKED.bus_bytes
        whole = (dut.limit + bus - 1) & ~Const(bus - 1, 33)
        command = dut.commands
        offset, beats, size = self.piece(m)
        begin = Signal(BURSTS.address_bits)
        m.d.comb += begin.eq(offset & ~Const(bus - 1, len(offset)))
        with m.If(command.valid):
            m.d.comb += [
                Assert(command.payload.address >= dut.origin),
                Assert(offset + size <= dut.limit),
                Assert(begin + beats * bus <= whole),
                Assert(begin + beats * bus >= offset + size),
                Assert(begin + (beats - 1) * bus < offset + size),
            ]
        asked = Signal(2)
        with m.If(command.valid & command.ready & ~asked.all()):
            m.d.sync += asked.eq(asked + 1)
        m.d.comb += [
            Assert(holds(m, command.valid, command.ready, command.payload)),
            Cover((asked == 2) & dut.overrun),
        ]
        return m


class FetcherSpec(_Pieces):
    def streams(self, m):
        return self.dut.commands.ready, self.dut.segments.ready

    def configure(self, m):
        config = self.dut.config
        choose(m, config, self.dut.odd)
        m.d.comb += Assume((config.groups != 0) & (config.groups <= 2))
        return config.base, config.row_stride

    def piece(self, m):
        dut = self.dut
        segment = dut.segments
        m.d.comb += Assert(holds(m, segment.valid, segment.ready, segment.payload))
        size = segment.payload.words * PACKED.word_bytes
        return dut.commands.payload.address - dut.origin, dut.commands.payload.beats, size


class WriterSpec(_Pieces):
    def streams(self, m):
        dut = self.dut
        drive(m, dut.i.valid, dut.i.payload)
        m.d.comb += Assume(holds(m, dut.i.valid, dut.i.ready, dut.i.payload))
        return dut.commands.ready, dut.beats.ready

    def configure(self, m):
        target = self.dut.target
        choose(m, target)
        m.d.comb += [
            Assume((target.words != 0) & (target.words <= 2)),
            Assume((target.pixel_stride >= target.words) & (target.pixel_stride < 8)),
        ]
        return target.base, target.row_stride

    def piece(self, m):
        payload, bus = self.dut.commands.payload, PACKED.bus_bytes
        lane = payload.address[: BURSTS.lane_bits]
        beats = (lane + payload.bytes + bus - 1) // bus
        return payload.address - self.dut.origin, beats, payload.bytes


def fetcher(component=RowFetcher):
    return FetcherSpec(component(PACKED, BURSTS, max_width=3, max_groups=2))


def writer(component=ExternalWriter):
    return WriterSpec(component(PACKED, BURSTS, max_width=3, max_words=2))


@pytest.mark.parametrize("spec", [fetcher, writer])
def test_pieces_lie_in_their_range(spec):
    prove(spec(), 17)
    prove(spec(), 24, "cover")


@pytest.mark.parametrize(
    ("spec", "component", "old", "new"),
    [
        (fetcher, RowFetcher, "room >= length.bytes", "room >= length.words"),
        (fetcher, RowFetcher, "signed(len(self.limit) + 1)", "len(self.limit)"),
        (fetcher, RowFetcher, "with m.If(free)", "with m.If(1)"),
        (writer, ExternalWriter, "row_room - target.row_stride", "row_room"),
        (writer, ExternalWriter, "with m.If(free)", "with m.If(1)"),
    ],
    ids=["bytes", "sign", "a command overwritten", "rows", "a pixel overwritten"],
)
def test_refutes(spec, component, old, new):
    with pytest.raises(AssertionError, match="refuted"):
        prove(spec(mutant(component, old, new)), 17)


class RangeCheckSpec(Elaboratable):
    """The error is that of the ranges' ends, compared as sums, for all ranges in a small space."""

    SPEC = BurstSpec(2, 1, address_bits=5)

    def __init__(self, component, count):
        self.dut = component(self.SPEC, count=count, size_bits=4)
        self.count = count

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        bases, sizes = [[port[n] for n in range(self.count)] for port in (dut.bases, dut.sizes)]
        choose(m, *bases, *sizes)
        ends = [base + size for base, size in zip(bases, sizes)]
        misaligned = Cat(base[0] for base in bases).any()
        beyond = Cat(end > 1 << self.SPEC.address_bits for end in ends).any()
        overlap = Cat(
            (bases[a] < ends[b]) & (bases[b] < ends[a]) & (sizes[a] != 0) & (sizes[b] != 0)
            for a, b in combinations(range(self.count), 2)
        ).any()
        error = Mux(overlap, ErrorCode.RANGE_OVERLAP, ErrorCode.NONE)
        error = Mux(beyond, ErrorCode.RANGE_LIMIT, error)
        error = Mux(misaligned, ErrorCode.RANGE_ALIGNMENT, error)
        # Whatever the registers hold of a check before, this one is right.
        step, due = Signal(range(64)), self.count * (self.count + 1) + 5
        m.d.sync += step.eq(step + 1)
        m.d.comb += [
            dut.start.eq(step == 1),
            Assert(dut.done == (step == due)),
            Assert(~dut.done | (dut.error == error)),
        ]
        for code in ErrorCode:
            if code.name.startswith("RANGE") or not code:
                m.d.comb += Cover(dut.done & (dut.error == code))
        return m


def prove_range_check(component=RangeCheck, count=3, mode="bmc"):
    prove(RangeCheckSpec(component, count), count * (count + 1) + 8, mode)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_range_check(count):
    prove_range_check(count=count)


def test_range_check_finds_everything():
    prove_range_check(mode="cover")


@pytest.mark.parametrize(
    ("old", "new"),
    [("< size_then", "<= size_then"), ("1 << space", "(1 << space) - 1"), ("& near", "")],
    ids=["ranges that touch", "the last byte", "far ranges"],
)
def test_range_check_refutes(old, new):
    source = "last[-1] & within & near" if old == "& near" else old
    new = "last[-1] & within" if old == "& near" else new
    with pytest.raises(AssertionError, match="refuted"):
        prove_range_check(mutant(RangeCheck, source, new))
