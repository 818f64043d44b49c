# amaranth: UnusedElaboratable=no

"""No row outside its range is ever asked for, and no range that meets another is let through."""

from itertools import combinations

import pytest
from amaranth.asserts import AnyConst
from amaranth.hdl import (
    Assert,
    Assume,
    Cat,
    Cover,
    Elaboratable,
    Module,
    Mux,
    Signal,
    Value,
)

from fxhw.gateware.range_check import RangeCheck
from fxhw.gateware.row_fetcher import RowFetcher
from fxhw.plan.bursts import BurstSpec
from fxhw.plan.packed_words import PackedWords
from fxhw.plan.registers import ErrorCode

from ..mutants import mutant
from .prover import prove
from .test_bursts import drive, holds

pytestmark = pytest.mark.formal

PACKED = PackedWords(48, 64)
BURSTS = BurstSpec(8, address_bits=40, max_count=16)


def choose(m, *signals):
    """Let the solver choose once."""
    for signal in signals:
        value = Value.cast(signal)
        m.d.comb += value.eq(AnyConst(len(value)))


class FetcherSpec(Elaboratable):
    """For all rows, for ever: what is asked for lies in the range, is the beats that the row
    touches, and waits unchanged.  Some is asked for, and some refused, as it does in an
    ``example``."""

    def __init__(self, component=RowFetcher, example=False):
        self.example = example
        self.dut = component(PACKED, BURSTS, max_width=3, max_groups=2)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        command, segment, bus = dut.commands, dut.segments, PACKED.bus_bytes
        drive(m, dut.start, command.ready, segment.ready)
        choose(m, dut.config, dut.width, dut.height, dut.odd, dut.origin, dut.limit)
        m.d.comb += [
            Assume(~(dut.start & dut.busy)),
            Assume((dut.width != 0) & (dut.height != 0) & (dut.config.groups != 0)),
            Assume(~dut.origin[: BURSTS.lane_bits].any()),
            # The last byte of the address space is left to the simulations.
            Assume(dut.origin + dut.limit < 1 << BURSTS.address_bits),
        ]
        waiting = command.valid | segment.valid
        address, size = command.payload.address, dut._length.bytes
        offset = (address - dut.origin).as_unsigned()[: BURSTS.address_bits]
        lane = address[: BURSTS.lane_bits]
        first = offset - lane
        behind = Signal(BURSTS.address_bits + 2)
        m.d.comb += behind.eq(
            first.as_unsigned()[: BURSTS.address_bits] + command.payload.beats * bus
        )
        with m.If(waiting):
            m.d.comb += [
                Assert(address >= dut.origin),
                Assert(offset + size <= dut.limit),
                Assert(behind >= offset + size),
                Assert(behind < offset + size + bus),
            ]
        for port in (command, segment):
            m.d.comb += Assert(holds(m, port.valid, port.ready, port.payload))
        asked = Signal(2)
        with m.If(command.valid & command.ready & ~asked.all()):
            m.d.sync += asked.eq(asked + 1)
        m.d.comb += Cover((asked == 2) & dut.overrun)
        if self.example:
            values = {"base": 6, "row_stride": 18, "groups": 2, "up": 0}
            m.d.comb += [Assume(dut.config[name] == value) for name, value in values.items()]
            m.d.comb += [Assume((dut.width == 1) & (dut.height == 3) & (dut.limit == 40))]
        self._keep(m, waiting, size)
        return m

    def _keep(self, m, waiting, size):
        """What always holds inside, so that the rest can be proved for ever."""
        dut = self.dut
        state, room, length = dut._state, dut._room, dut._length
        walking = state.place | state.ask
        payload, bus = dut.commands.payload, PACKED.bus_bytes
        lane = payload.address[: BURSTS.lane_bits]
        reach = size + bus - 1
        m.d.comb += [
            Assert(~length.busy | state.measure),
            Assert(~(state.measure & waiting)),
            Assert(~(walking | waiting) | (dut._reach == reach)),
            Assert(~(state.ask | waiting) | (payload.beats == (lane + reach) >> len(lane))),
        ]
        with m.If((walking | state.measure) & (room >= 0)):
            m.d.comb += [
                Assert(dut._address >= dut.origin),
                Assert(dut._address - dut.origin + room == dut.limit),
            ]
        with m.If(state.ask):
            m.d.comb += [
                Assert(~waiting),
                Assert(dut._fits == (room >= size)),
                Assert(payload.address == dut._address),
            ]


@pytest.mark.slow  # minutes on two cores; `make formal` runs it
def test_rows_lie_in_their_range():
    prove(FetcherSpec(), 2, "induction")
    prove(FetcherSpec(example=True), 20, "cover")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("room >= length.bytes", "room >= length.words"),
        ("length.bytes + packed.bus_bytes - 1", "length.bytes + packed.bus_bytes"),
        ("with m.If(free)", "with m.If(1)"),
        ("room.eq(room - config.row_stride)", "room.eq(room)"),
    ],
    ids=["words for bytes", "a beat too many", "a command overwritten", "rows past the range"],
)
def test_rows_refute(old, new):
    with pytest.raises(AssertionError, match="refuted"):
        prove(FetcherSpec(mutant(RowFetcher, old, new)), 2, "induction")


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
