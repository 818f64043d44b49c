# amaranth: UnusedElaboratable=no

"""Stream contracts and data of the datapath's blocks, and what the proofs catch in broken ones.

A contract holds for good (induction), for every configuration in the ranges given, started
whenever the block's documentation allows.  Data are proved for all words, pauses and stalls of
one small image or, for the smallest, of two in a row: what the first leaves behind does no harm.
"""

import pytest
from amaranth.asserts import AnyConst, AnySeq
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
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxhw.fixed import ActivationFormat, WeightFormat
from fxhw.gateware import line_buffer
from fxhw.gateware.conv_engine import ConvEngine
from fxhw.gateware.feature_reader import FeatureReader
from fxhw.gateware.feature_writer import FeatureWriter, WriteArbiter
from fxhw.gateware.head import Head
from fxhw.gateware.image_intake import ImageIntake
from fxhw.gateware.line_buffer import LineBuffer
from fxhw.gateware.main_datapath import MainDatapath
from fxhw.gateware.memory_port import address_bits
from fxhw.gateware.window import Window
from fxhw.plan import ConvSpec

from ..designs import small_design
from ..mutants import mutant
from ..simulate import member
from .prover import (
    _Contract,
    _Environment,
    prove,
    prove_stream_contract,
    prove_stream_function,
)
from .starts import idle_start, per_image, started

pytestmark = pytest.mark.formal


def columns(height, row_words):
    """Columns of a raster of one-bit words, as :func:`..rasters.columns_of` has them."""

    def word(words, y, position):
        return words[y * row_words + position] if 0 <= y < height else Const(0, 1)

    return lambda words: [
        Cat(
            *(word(words, y + ky, position) for ky in (-1, 0, 1)),
            Const(ends_row := position == row_words - 1, 1),
            Const(ends_row and y == height - 1, 1),
        )
        for y in range(height) for position in range(row_words)
    ]


def marked(height, row_words, images):
    """Assumption: columns are marked where rows and images of this size end."""

    def assume(m, dut):
        size = height * row_words
        number = Signal(range(images * size + 1))
        with m.If(dut.i.valid & dut.i.ready):
            m.d.sync += number.eq(number + 1)
        ends = {
            "ends_row": [n for n in range(images * size) if (n + 1) % row_words == 0],
            "ends_image": [n for n in range(images * size) if (n + 1) % size == 0],
        }
        for name, numbers in ends.items():
            mark = dut.i.payload[name]
            m.d.comb += Assume(~dut.i.valid | (mark == number.matches(*numbers)))

    return assume


def windows(height, width, groups):
    """Windows of a raster of columns, each of which may be any three words.

    See :func:`..rasters.windows_of`; a column's own zero rows are the line buffer's business.
    """

    def tap(words, y, x, group, ky):
        inside = 0 <= x < width
        return words[(y * width + x) * groups + group][ky] if inside else Const(0, 1)

    return lambda words: [
        Cat(tap(words, y, x + kx, group, ky) for ky in range(3) for kx in (-1, 0, 1))
        for y in range(height) for x in range(width) for group in range(groups)
    ]


class TestLineBuffer:
    @pytest.fixture(autouse=True)
    def short_queue(self, monkeypatch):
        """The shortest that lets a column pass in every cycle; the solver's work grows with it."""
        monkeypatch.setattr(line_buffer, "_QUEUE", 8)

    def test_contract(self):
        config = {"row_words": range(1, 4), "height": None}
        prove_stream_contract(LineBuffer(2, 3), config)

    @staticmethod
    def prove_data(block, height, row_words, images=2):
        words = height * row_words
        per_row = row_words + (row_words == 1)
        prove_stream_function(
            block(1, 3), images * words,
            lambda words: per_image(words, images, columns(height, row_words)),
            config={"row_words": row_words, "height": height},
            assumptions=started(words, images),
            depth=images * ((height + 1) * per_row + 8) + 2,
            progress=10,  # up to 3 before a start, 1 between single words, 5 on the way
        )

    @pytest.mark.parametrize(
        "size",
        [
            (1, 1, 2), (3, 1, 1), (1, 2, 2), (2, 2, 1),
            pytest.param((3, 2, 1), marks=pytest.mark.slow),
        ],
    )  # fmt: skip
    def test_data(self, size):
        self.prove_data(LineBuffer, *size)

    @pytest.mark.parametrize(
        ("old", "new", "size"),
        [
            (" & ~(single & (step | self.start))", "", (2, 1)),
            ('"above_is_border": second', '"above_is_border": C(0, 1)', (1, 1)),
            ('"below_is_border": flushing', '"below_is_border": C(0, 1)', (1, 1)),
            ("write_address.eq(written)", "write_address.eq(position)", (2, 2, 1)),
            ("write_enable.eq(writing)", "write_enable.eq(self.i.valid)", (2, 2, 1)),
            ("turn.eq(turn ^ row_ends)", "turn.eq(0)", (2, 2, 1)),
            ("single & (step | self.start)", "single & step", (1, 1)),
        ],
        ids=["hazard", "stale row above", "row below", "wrong place", "wrong time", "no turns",
             "hasty start"],
    )
    def test_refutes(self, old, new, size):
        block = mutant(LineBuffer, old, new)
        with pytest.raises(AssertionError, match="bmc of depth"):
            self.prove_data(block, *size)


class TestWindow:
    def test_contract(self):
        prove_stream_contract(Window(2, 3), {"groups": range(1, 4)})

    @staticmethod
    def prove_data(block, height, width, groups, images=2):
        words = height * width * groups
        prove_stream_function(
            block(1, 2), images * words,
            lambda words: per_image(words, images, windows(height, width, groups)),
            config={"groups": groups},
            assumptions=lambda m, dut: [
                assume(m, dut)
                for assume in (started(words, images), marked(height, width * groups, images))
            ],
            depth=images * (words + groups + 2) + 2,
            progress=4,  # up to 3 before a start
        )

    @pytest.mark.parametrize("size", [(1, 2, 1, 2), (1, 3, 1, 1), (2, 1, 2, 1), (2, 2, 1, 1)])
    def test_data(self, size):
        self.prove_data(Window, *size)

    @pytest.mark.parametrize(
        ("old", "new", "size"),
        [
            ("at_left.eq(row_begins)", "at_left.eq(row_begins & ~self.i.payload.ends_row)",
             (2, 1, 2)),
            ("(at_left, 0, at_right)", "(at_left, 0, 0)", (2, 1, 2)),
            ("[self.o.valid.eq(step & ~early), free.eq(~(step & ~early))]",
             "[self.o.valid.eq(step), free.eq(~step)]", (2, 1, 2)),
            ("moves.eq(~self.o.valid | self.o.ready)", "moves.eq(1)", (2, 1, 2)),
            ("self._remember(m, column, stores,", "self._remember(m, column, opens,", (2, 1, 2)),
            ("again.eq(stores & single)", "again.eq(0)", (1, 2, 1, 1)),
            ("again.eq(stores & single)", "again.eq(single)", (1, 2, 1, 1)),
        ],
        ids=["width 1", "right border", "early word", "overwritten word", "remembered too early",
             "read while written", "always read while written"],
    )
    def test_refutes(self, old, new, size):
        block = mutant(Window, old, new)
        with pytest.raises(AssertionError, match="bmc of depth"):
            self.prove_data(block, *size)


LATENCY = 3
"""Cycles of the memory that the reader is proved with."""


def reader(word_bits, depth):
    return FeatureReader(
        word_bits, depth, max_width=4, max_height=3, max_groups=2, memory_latency=LATENCY
    )


class Reading(wiring.Component):
    """A reader of a memory whose words are their own addresses; a word at ``i`` starts it."""

    def __init__(self, depth):
        self.reader = reader(depth.bit_length(), depth)
        super().__init__(
            {"i": In(stream.Signature(1)), "o": Out(stream.Signature(depth.bit_length()))}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.reader = reader = self.reader
        wiring.connect(m, reader.o, wiring.flipped(self.o))
        m.d.comb += [
            self.i.ready.eq(1),
            reader.start.eq(self.i.valid),
            Assert(~reader.overrun),
        ]
        valid, data = reader.memory.enable, reader.memory.address
        for stage in range(LATENCY):
            there, word = Signal(name=f"there_{stage}"), Signal.like(data, name=f"word_{stage}")
            m.d.sync += [there.eq(valid), word.eq(data)]
            valid, data = there, word
        m.d.comb += [reader.memory.valid.eq(valid), reader.memory.data.eq(data)]
        return m


class TestFeatureReader:
    def test_contract(self):
        """Whatever the memory does."""
        config = {"a": None, "b": None, "width": None, "height": None}
        prove_stream_contract(reader(2, 8), config)

    @staticmethod
    def prove_data(dut, size, upsampled, groups, base):
        """Sources of ``groups`` words per pixel, each whole or at half the size."""
        height, width = size
        config, sources = {"width": width, "height": height, "b.groups": 0}, []
        for name, words, up in zip("ab", groups, upsampled):
            stride = words * -(-width // (up + 1))
            config |= {
                f"{name}.base": base, f"{name}.row_stride": stride,
                f"{name}.groups": words, f"{name}.up": up,
            }
            sources.append((base, stride, words, up))
            base += stride * -(-height // (up + 1))

        def setup(m, dut):
            m.d.comb += [member(dut.reader, name).eq(value) for name, value in config.items()]

        words = height * width * sum(groups)
        prove_stream_function(
            dut, 1,
            lambda _: [
                Const(base + (y >> up) * stride + (x >> up) * words + group, len(dut.o.payload))
                for y in range(height) for x in range(width)
                for base, stride, words, up in sources for group in range(words)
            ],
            assumptions=setup, depth=words + 6 + LATENCY, progress=6 + LATENCY,
        )

    @pytest.mark.parametrize(
        ("size", "upsampled", "groups"),
        [
            ((1, 2), (0, 0), (1, 2)), ((2, 1), (1, 0), (1, 2)), ((1, 2), (0, 1), (1, 2)),
            ((3, 2), (1,), (1,)), ((1, 3), (1,), (2,)), ((2, 2), (0, 1), (1, 1)),
        ],
    )
    def test_data(self, size, upsampled, groups):
        self.prove_data(Reading(20), size, upsampled, groups, base=1)

    @pytest.mark.parametrize(
        ("old", "new", "size", "upsampled"),
        [
            (" | (self.b.up & (x == 2))", "", (2, 2), (0, 1)),
            ("& ~seen.bit_select(other, 1)", "", (2, 2), (0, 0)),
            ("with m.If(last_x & ~again)", "with m.If(last_x)", (2, 2), (1, 0)),
            ("step & last_group & ~again", "step & last_group", (1, 4), (1, 0)),
        ],
        ids=["first pixel again", "base in every row", "row again", "pixel again"],
    )
    def test_refutes(self, old, new, size, upsampled, monkeypatch):
        monkeypatch.setitem(globals(), "FeatureReader", mutant(FeatureReader, old, new))
        with pytest.raises(AssertionError, match="bmc of depth"):
            self.prove_data(Reading(20), size, upsampled, (1, 1), base=1)


def writer(word_bits, depth):
    return FeatureWriter(word_bits, depth, max_width=3, max_height=3, max_words=3)


class TestFeatureWriter:
    def test_contract(self):
        config = dict.fromkeys(("base", "words", "stride", "width", "height"))
        prove_stream_contract(writer(2, 8), config, assumptions=idle_start("busy"))

    @pytest.mark.parametrize(
        ("words", "stride", "width", "height", "images"), [(1, 1, 2, 1, 2), (2, 3, 1, 2, 1)]
    )
    def test_data(self, words, stride, width, height, images):
        """The second image is written like the first, words outside the memory included."""
        base, depth = 5, 9
        count = words * width * height
        addresses = [
            base + pixel * stride + word for pixel in range(width * height) for word in range(words)
        ]
        assert (max(addresses) >= depth) == (words == 2)

        def starts(m, dut):
            begun, late = Signal(2), Signal()
            due = ~dut.busy & (begun < images)
            m.d.comb += [Assume(~dut.start | due), Assume(dut.start | ~due | ~late)]
            m.d.sync += [late.eq(due), begun.eq(begun + dut.start)]

        prove_stream_function(
            writer(1, depth), images * count,
            lambda data: per_image(
                data, images,
                lambda data: [
                    Cat(Const(address, address_bits(depth)), word)
                    for address, word in zip(addresses, data)
                ],
            ),
            config={
                "base": base, "words": words, "stride": stride, "width": width, "height": height
            },
            assumptions=starts, depth=images * (count + 4) + 2, progress=6,
        )


class ArbiterSpec(Elaboratable):
    """Every word taken of a writer is the one given on; the second waits for the first only."""

    def __init__(self, dut):
        self.dut = dut

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        first, second, o = dut.i[0], dut.i[1], dut.o
        for port in first, second:
            m.d.comb += [port.valid.eq(AnySeq(1)), port.payload.eq(AnySeq(2))]
        m.d.comb += o.ready.eq(AnySeq(1))
        for port, check in ((first, Assume), (second, Assume), (o, Assert)):
            waited, payload = Signal(), Signal(2)
            m.d.sync += [waited.eq(port.valid & ~port.ready), payload.eq(port.payload)]
            m.d.comb += check(~waited | (port.valid & (port.payload == payload)))

        taken = [port.valid & port.ready for port in (first, second)]
        m.d.comb += [
            Assert(o.valid == (first.valid | second.valid)),
            Assert((o.valid & o.ready) == (taken[0] | taken[1])),
            Assert(~(taken[0] & taken[1])),
            Assert(~taken[0] | (o.payload == first.payload)),
            Assert(~taken[1] | (o.payload == second.payload)),
            # With the first writer silent, the second's word is what is offered.
            Assert(first.valid | ~(second.valid & o.ready) | second.ready),
        ]
        # A word of the second that has come to the output is not overtaken.
        chosen = Signal()
        m.d.sync += chosen.eq(second.valid & ~first.valid & ~o.ready)
        m.d.comb += Assert(~(chosen & o.ready) | second.ready)
        return m


class TestWriteArbiter:
    def test_contract(self):
        prove_stream_contract(WriteArbiter(2), progress=1)

    def test_data(self):
        prove(ArbiterSpec(WriteArbiter(2)), 3, "induction")

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("Mux(waiting, kept, ~self.i[0].valid)", "~self.i[0].valid"),
            ("waiting.eq(self.o.valid & ~self.o.ready)", "waiting.eq(self.o.valid)"),
        ],
        ids=["switches while waiting", "never switches"],
    )
    def test_refutes(self, old, new):
        with pytest.raises(AssertionError, match="Assert failed"):
            prove(ArbiterSpec(mutant(WriteArbiter, old, new)(2)), 4)


class TestHead:
    @pytest.mark.parametrize("logits", [0, 1])
    def test_contract(self, logits):
        config = {"groups": range(1, 4), "width": None, "height": None, "logits": logits}
        design = small_design(abits=2, pout=2, wbits=2, last_wbits=3)
        prove_stream_contract(
            Head(design), config, assumptions=idle_start("busy"), cover_depth=8
        )


class IntakeSpec(Elaboratable):
    """A byte that is taken is passed on, unless it is of an image abandoned since it began.

    ``start``, ``drop`` and ``cancel`` may come at any time.
    """

    def __init__(self, dut):
        self.dut = dut

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        for port in (dut.i.valid, dut.i.payload, dut.o.ready, dut.start, dut.drop, dut.cancel):
            m.d.comb += Value.cast(port).eq(AnySeq(len(Value.cast(port))))
        for port in dut.row, dut.height:
            m.d.comb += port.eq(AnyConst(len(port)))

        taken, last = dut.i.valid & dut.i.ready, dut.i.payload.last
        inside, abandoned = Signal(), Signal()
        with m.If(dut.cancel):
            m.d.sync += [inside.eq(0), abandoned.eq(0)]
        with m.Else():
            rest = Mux(taken, ~last, inside)
            m.d.sync += [inside.eq(rest), abandoned.eq(rest & (dut.drop | abandoned))]
        m.d.comb += [
            Assert(~taken | ((dut.o.valid & dut.o.ready) == ~abandoned)),
            Assert(~dut.o.valid | dut.i.valid & ~abandoned),
            Assert(~dut.o.valid | (dut.o.payload == dut.i.payload.data[:2])),
            # What has been abandoned is taken at once.
            Assert(~abandoned | dut.i.ready),
            Assert(~(dut.short | dut.long) | (taken & ~abandoned)),
            Assert(~dut.short | last),
            Assert(~dut.long | ~last),
        ]
        return m


class TestImageIntake:
    @staticmethod
    def lawful(m, intake):
        """An image is abandoned only while no byte waits at the output."""
        m.d.comb += Assume(~(intake.o.valid & ~intake.o.ready & (intake.drop | intake.cancel)))

    def test_contract(self):
        config = {"row": None, "height": None}
        prove_stream_contract(ImageIntake(2), config, assumptions=self.lawful)

    def test_no_byte_is_lost_or_passed_on_late(self):
        prove(IntakeSpec(ImageIntake(2)), 10)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("passing.eq(active & ~dropping)", "passing.eq(active)"),
            ("Mux(taken, ~self.i.payload.last, inside)", "inside"),
        ],
        ids=["started while dropping", "drop at the last byte"],
    )
    def test_refutes(self, old, new):
        with pytest.raises(AssertionError, match="bmc of depth 8 refuted"):
            prove(IntakeSpec(mutant(ImageIntake, old, new)(2)), 8)


SPEC = ConvSpec(
    weight=WeightFormat(1), activation=ActivationFormat(1), out=ActivationFormat(1),
    lanes_in=1, lanes_out=1, max_groups_in=1, max_groups_out=1, row_words=2, weight_words=1,
)


class Loaded(wiring.Component):
    """An engine that is loaded with one weight word and one requantization word, then started."""

    def __init__(self):
        self.engine = ConvEngine(SPEC, 32)
        super().__init__({
            "weights": In(SPEC.weight_bits),
            "scale": In(SPEC.requantize_bits),
            "width": In(16),
            "height": In(16),
            "i": In(stream.Signature(1)),
            "o": Out(stream.Signature(1)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.engine = engine = self.engine
        wiring.connect(m, wiring.flipped(self.i), engine.i)
        wiring.connect(m, engine.o, wiring.flipped(self.o))
        step = Signal(2)
        m.d.sync += step.eq(Mux(step == 3, 3, step + 1))
        m.d.comb += [
            engine.load.valid.eq(step < 2),
            engine.load.second.eq(step == 1),
            engine.load.data.eq(Mux(step == 0, self.weights, self.scale)),
            engine.start.eq(step == 2),
            engine.config.width.eq(self.width),
            engine.config.row_words.eq(self.width),
            engine.config.height.eq(self.height),
            engine.config.groups_in.eq(1),
            engine.config.groups_out.eq(1),
        ]
        return m


class TestConvEngine:
    def test_contract(self):
        prove_stream_contract(ConvEngine(SPEC, 32), {"config": None}, cover_depth=29)

    def test_data(self):
        """One pixel in its zero border, for every weight, bias and shift."""
        dut = Loaded()
        bias = dut.scale[: SPEC.requantize.bias.width].as_signed()
        shift = dut.scale[SPEC.requantize.bias.width :]

        def expected(words):
            (code,) = words
            return [(Mux(dut.weights[4], code, -code) + bias) >> shift > 0]

        prove_stream_function(
            dut, 1, expected, depth=26, progress=24,
            config={"weights": None, "scale": None, "width": 1, "height": 1},
        )


class MaskOffered(_Environment):
    """The mask's first byte comes although it is not taken."""

    def check(self, m):
        mask = self.component.mask
        m.d.comb += [Assume(~mask.ready), Cover(mask.valid)]


class TestMainDatapath:
    def test_contract(self):
        """The mask, its step started after the one before has ended; writes are always taken."""
        design = small_design(
            wbits=1, abits=1, pin=1, pout=1, max_width=2, max_height=2, max_groups_in=1,
            max_groups_out=1, front_groups=1, head_groups=1, row_words=2, pool_words=1,
            weight_words=1, feature_words=4, parameter_beats=4,
        )

        def lawful(m, dut):
            running = Signal()
            m.d.sync += running.eq(dut.running)
            m.d.comb += Assume(~dut.start | ~(running | dut.mask.valid))

        config = {"layer": None, "logits": None}
        prove(_Contract(MainDatapath(design), config, lawful), 2, "induction")
        prove(MaskOffered(MainDatapath(design), config, lawful), 38, "cover")
