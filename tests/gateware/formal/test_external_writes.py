# amaranth: UnusedElaboratable=no

"""The external writer asks for the pieces of a feature map, in order, and for nothing else."""

import pytest
from amaranth.hdl import Assert, Assume, Cover, Elaboratable, Module, Mux, Signal, signed
from amaranth.lib import wiring

from fxhw.gateware.external_writer import ExternalWriter
from fxhw.gateware.row_length import RowLength
from fxhw.plan.bursts import BurstSpec
from fxhw.plan.packed_words import PackedWords

from ..mutants import mutant
from .prover import prove
from .test_bursts import drive, holds
from .test_external_ranges import choose

pytestmark = pytest.mark.formal

PACKED = PackedWords(48, 64)
BURSTS = BurstSpec(8, address_bits=40, max_count=16)


class AnyPacker(wiring.Component):
    """A packer that may do anything: what it makes of words is another block's business."""

    def __init__(self, packer):
        self._packer = packer
        super().__init__(packer.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.packer = self._packer  # without wires
        drive(m, self.segments.ready, self.i.ready, self.o.valid, self.o.payload, self.busy)
        return m


class Walk:
    """Where the next piece and its row lie, and what is to come, as a reference counts it.

    ``columns`` counts the row's pieces that are left, ``rows`` the rows, the one at hand included.
    """

    def __init__(self, m, dut, moves):
        """``moves`` says that the piece at hand was asked for."""
        target = dut.target
        self.first_columns = Mux(target.words == target.pixel_stride, 1, dut.width)
        self.address, self.row = Signal.like(dut.origin), Signal.like(dut.origin)
        self.columns, self.rows = Signal.like(dut.width), Signal.like(dut.height)
        last = moves & (self.columns == 1)
        next_row = (self.row + target.row_stride)[: BURSTS.address_bits]
        # The step is what it should be, see WriterSpec.
        next_piece = (self.address + dut._step)[: BURSTS.address_bits]
        first = (dut.origin + target.base)[: BURSTS.address_bits]

        def after(value, row, piece):
            return Mux(last, row, Mux(moves, piece, value))

        # As they are when the piece at hand is behind.
        self.then = {
            "address": after(self.address, next_row, next_piece),
            "row": Mux(last, next_row, self.row),
            "columns": after(self.columns, self.first_columns, self.columns - 1),
            "rows": self.rows - last,
        }
        self.first = {
            "address": first, "row": first, "columns": self.first_columns, "rows": dut.height,
        }
        for name, value in self.then.items():
            m.d.sync += getattr(self, name).eq(Mux(dut.start, self.first[name], value))


class WriterSpec(Elaboratable):
    """For all feature maps, for ever: every command is the reference's next piece and waits
    unchanged; the writer ends when all pieces were asked for, or at the first that would leave the
    range (``order``).  Every command lies in the range (``range``).  What is proved at a time is
    in ``parts``, to spare the solver.

    With an ``example``, values of the target, the same for this one alone, from the outside; both
    ends happen.
    """

    def __init__(self, component=ExternalWriter, parts=("order", "range"), example=None):
        self.parts, self.example = parts, example
        self.dut = component(PACKED, BURSTS, max_width=3, max_words=2)
        self.dut._packer = AnyPacker(self.dut._packer)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        command, target = dut.commands, dut.target
        drive(m, dut.start, command.ready, dut.beats.ready, dut.i.valid, dut.i.payload)
        choose(m, target, dut.width, dut.height, dut.origin, dut.limit)
        m.d.comb += [
            Assume(~(dut.start & dut.busy)),
            Assume((dut.width != 0) & (dut.height != 0) & (target.words != 0)),
            Assume(target.words <= 2),
            Assume(~dut.origin[: BURSTS.lane_bits].any()),
            # The last byte of the address space is left to the simulations.
            Assume(dut.origin + dut.limit < 1 << BURSTS.address_bits),
        ]
        waited, new = Signal(), Signal()
        m.d.sync += waited.eq(command.valid & ~command.ready)
        m.d.comb += new.eq(command.valid & ~waited)
        walk, size = Walk(m, dut, new), dut._length.bytes
        begun, over = Signal(), Signal()
        with m.If(dut.start):
            m.d.sync += [begun.eq(1), over.eq(0)]
        with m.Elif(dut.overrun):
            m.d.sync += over.eq(1)
        payload = command.payload
        m.d.comb += Assert(holds(m, command.valid, command.ready, payload))
        if "order" in self.parts:
            with m.If(new):
                m.d.comb += [
                    Assert(walk.rows != 0),
                    Assert(payload.address == walk.address),
                    Assert(payload.bytes == size),
                ]
            with m.If(begun & ~dut.busy & ~over):
                m.d.comb += Assert(walk.rows == 0)
            self._compare_segments(m, new)
            if not self.example:
                self._keep_order(m, walk, begun, over)
        if "range" in self.parts:
            with m.If(new):
                m.d.comb += [
                    Assert(payload.address >= dut.origin),
                    Assert((payload.address - dut.origin).as_unsigned() + size <= dut.limit),
                ]
            with m.If(dut.overrun):
                m.d.comb += Assert(dut._room < size)
            if not self.example:
                self._keep_range(m)
        if not self.example:
            self._keep(m, new)
        self._show(m, walk, begun, over)
        return m

    def _compare_segments(self, m, new):
        """The packer is told the same pieces."""
        dut = self.dut
        segment, command = dut._packer.segments, dut.commands
        address = command.payload.address
        unit = (PACKED.unit_bytes - 1).bit_length()
        m.d.comb += [
            Assert(~new | segment.valid),
            Assert(~segment.valid | (segment.payload.words == dut._length.words)),
            Assert(~segment.valid | (segment.payload.skip == address[unit : BURSTS.lane_bits])),
        ]
        before = Signal()
        m.d.sync += before.eq(segment.valid & ~segment.ready)
        m.d.comb += Assert(new | (segment.valid == before))

    def _keep(self, m, new):
        """What always holds inside, so that the rest can be proved for ever."""
        dut = self.dut
        state, waiting = dut._state, dut.commands.valid | dut._packer.segments.valid
        states = state.as_value()
        m.d.comb += [
            Assert(states.any() & ~(states & (states - 1)).any()),
            Assert(dut._begins == state.begin),
            Assert(dut._turns == state.row),
            Assert(dut._asks == state.ask),
            Assert(~(state.begin | state.measure | state.ask) | ~waiting),
            Assert(~new | state.idle | state.row | state.place),
            Assert(~dut._length.busy | state.measure),
        ]
        with m.If(state.ask):
            m.d.comb += [
                Assert(dut._fits == (dut._room >= dut._length.bytes)),
                Assert(dut.commands.payload.address == dut._address),
            ]

    def _keep_order(self, m, walk, begun, over):
        """The reference and the writer are at the same piece."""
        dut, target = self.dut, self.dut.target
        state, then = dut._state, walk.then
        past = Signal()  # derived registers are right from the first cycle's end on
        m.d.sync += past.eq(1)
        whole, step = target.words == target.pixel_stride, target.pixel_stride * PACKED.word_bytes
        m.d.comb += [
            Assert(state.idle | past),
            Assert(~past | ((dut._whole == whole) & (dut._step == step))),
            Assert(state.idle | begun & ~over & (then["rows"] != 0) & (then["columns"] != 0)),
            Assert(~state.idle | ~begun | over | (then["rows"] == 0)),
        ]
        skip, address = dut._packer.segments.payload.skip, dut._address
        unit = (PACKED.unit_bytes - 1).bit_length()
        m.d.comb += Assert(~state.ask | (skip == address[unit : BURSTS.lane_bits]))
        with m.If(state.begin):
            m.d.comb += [Assert(then[name] == value) for name, value in walk.first.items()]
        with m.If(state.measure | state.row):
            m.d.comb += [
                Assert(dut._row == then["row"]),
                Assert(dut._rows == then["rows"]),
                Assert(then["address"] == then["row"]),
                Assert(then["columns"] == walk.first_columns),
            ]
        with m.If(state.place | state.ask):
            m.d.comb += [
                Assert(dut._address == then["address"]),
                Assert(dut._row == (then["row"] + target.row_stride)[: len(dut._row)]),
                Assert(dut._rows == (then["rows"] - 1)[: len(dut._rows)]),
                Assert(dut._columns == then["columns"]),
            ]

    def _keep_range(self, m):
        """Offsets of the piece and of the row behind it, and the range's bytes from there on, as
        wide as addresses, and what the writer has of them."""
        dut, target = self.dut, self.dut.target
        state, space = dut._state, len(dut.origin)
        offset, row_offset = Signal(space), Signal(space)
        left, row_left = Signal(signed(space)), Signal(signed(space))
        with m.If(state.begin):
            m.d.sync += [row_offset.eq(target.base), row_left.eq(dut.limit - target.base)]
        with m.If(state.row):
            m.d.sync += [
                offset.eq(row_offset),
                left.eq(row_left),
                row_offset.eq(row_offset + target.row_stride),
                row_left.eq(row_left - target.row_stride),
            ]
        with m.If(state.ask):
            m.d.sync += [offset.eq(offset + dut._step), left.eq(left - dut._step)]

        def follows(address, room, offset, left):
            m.d.comb += [
                Assert(address == (dut.origin + offset)[:space]),
                Assert(left.as_unsigned() == (dut.limit - offset)[:space].as_unsigned()),
                Assert(room.as_unsigned() == left.as_unsigned()[: len(room)]),
            ]

        def measured(left):
            return (left >= -1 << 32) & (left <= dut.limit)

        walking = state.place | state.ask
        with m.If(state.measure | state.row | walking):
            follows(dut._row, dut._row_room, row_offset, row_left)
        with m.If(walking):
            follows(dut._address, dut._room, offset, left)
            m.d.comb += Assert(measured(left))
        # Of the row behind one that lies past the range nothing is needed.
        m.d.comb += Assert(
            ~(state.measure | state.row | (walking & (left >= 0))) | measured(row_left)
        )

    def _show(self, m, walk, begun, over):
        """That a feature map ends, and that one is broken off in its second row."""
        dut = self.dut
        m.d.comb += [
            Cover(begun & ~dut.busy & ~over & (dut.height == 2)),
            Cover(dut.overrun & (walk.rows == 1) & (walk.columns == 1) & (dut.height == 2)),
        ]
        if self.example:
            values = self.example.items()
            m.d.comb += [Assume(dut.target[name] == value) for name, value in values]
            m.d.comb += [Assume((dut.width == 2) & (dut.height <= 3) & (dut.origin == 64))]
            m.d.comb += Assume((dut.limit == 59) | (dut.limit == 60))


EXAMPLE = {"base": 6, "row_stride": 36, "pixel_stride": 2, "words": 1}
"""Pieces of 6 bytes at 6, 18, 42, 54, 78, ... in a range of 59 or 60."""


@pytest.mark.parametrize("part", ["order", "range"])
def test_pieces_in_order_and_none_outside_the_range(part):
    prove(WriterSpec(parts=[part]), 1, "induction")


def test_feature_maps_end():
    prove(WriterSpec(example=EXAMPLE), 24, "cover")


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("room >= length.bytes", "room + 1 >= length.bytes", {}),
        ("row_room.eq(row_room - target.row_stride)", "row_room.eq(row_room)", {}),
        ("address.eq(address + step)", "address.eq(address + length.bytes)", {}),
        ("with m.If(free)", "with m.If(1)", {}),
        ("rows.eq(rows - 1)", "rows.eq(rows - 2)", {}),
        ("columns.eq(Mux(whole, 1, self.width))", "columns.eq(self.width)", {"pixel_stride": 1}),
        ("segment.payload.skip.eq(address", "segment.payload.skip.eq(row", {}),
    ],
    ids=[
        "a byte past the range", "rows past the range", "pixels without gaps",
        "a command overwritten", "rows left out", "whole rows again", "another place in the beat",
    ],
)
def test_broken_writers_are_refuted(old, new, changes):
    """By what is seen from the outside, in a run from the start."""
    with pytest.raises(AssertionError, match="bmc of depth"):
        prove(WriterSpec(mutant(ExternalWriter, old, new), example=EXAMPLE | changes), 28)


class LengthSpec(Elaboratable):
    """When it is done, the products are right, whatever was counted before."""

    def __init__(self, component):
        self.dut = component(PACKED, 3, 3)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        drive(m, dut.start)
        begun = Signal()
        choose(m, dut.pixels, dut.groups)
        m.d.sync += begun.eq(begun | dut.start)
        m.d.comb += [
            Assume((dut.pixels != 0) & (dut.groups != 0)),
            Assume(~(dut.start & dut.busy)),
        ]
        with m.If(begun & ~dut.busy):
            words = dut.pixels * dut.groups
            m.d.comb += [
                Assert(dut.words == words),
                Assert(dut.bytes == words * PACKED.word_bytes),
                Cover(words == 9),
            ]
        return m


def test_row_length():
    prove(LengthSpec(RowLength), 14)
    prove(LengthSpec(RowLength), 14, "cover")


@pytest.mark.parametrize(
    ("old", "new"),
    [("self.groups - 2", "self.groups - 1"), ("self.words + pixels", "pixels")],
    ids=["a group too many", "the last group alone"],
)
def test_row_length_refutes(old, new):
    with pytest.raises(AssertionError, match="bmc of depth"):
        prove(LengthSpec(mutant(RowLength, old, new)), 14)
