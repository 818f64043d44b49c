"""External reader: streams a layer's input out of an external memory."""

from amaranth.hdl import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.bursts import BurstSpec
from ..plan.packed_words import PackedWords
from .burst_reader import ReadCommand
from .early_queue import EarlyQueue
from .pixel_repeater import PixelRepeater
from .row_fetcher import RowConfig, RowFetcher
from .word_unpacker import WordUnpacker

__all__ = ["ExternalReader"]


class ExternalReader(wiring.Component):
    """Words of up to two source feature maps in the order a convolution takes them.

    ::

        rows a -> bursts -> unpacker -> repeater -+
                                                  +-> pixel by pixel -> o
        rows b -> bursts -> unpacker -> repeater -+

    For each pixel of the raster, the words of source A, then those of source B: concatenation
    costs nothing.  Of an upsampled source every row is read twice and every pixel once.  Bursts
    are asked for as far ahead as the burst readers have room.

    *Throughput*: a word per cycle, or what the bus carries if that is less.

    Parameters
    ----------
    packed : words and bus.
    bursts : the bus and its bursts.
    max_width : most columns of a raster.
    max_groups : most words per pixel of a source.

    Members
    -------
    start : pulse that begins a layer; the reader must be idle.
    a, b : the sources; ``b.groups`` is 0 if there is one.  These and the raster are stable from
        ``start`` until the last word.
    width, height : the raster, at the layer's resolution, with the columns beside a strip.
    odd : the raster starts at an odd column of the layer.
    origin, limit : first address and bytes of the range all feature maps lie in.
    commands, beats : of the sources' burst readers.
    busy : rows are still to be asked for.
    overrun : pulse: a row would leave the range; the stream ends there.
    o : stream of words.
    """

    def __init__(self, packed: PackedWords, bursts: BurstSpec, *, max_width: int, max_groups: int):
        self._packed = packed
        self._max_groups = max_groups
        self._most_words = max_width * max_groups
        self._fetchers = [
            RowFetcher(packed, bursts, max_width=max_width, max_groups=max_groups) for _ in range(2)
        ]
        super().__init__(
            {
                "start": In(1),
                "a": In(RowConfig),
                "b": In(RowConfig),
                "width": In(range(max_width + 1)),
                "height": In(16),
                "odd": In(1),
                "origin": In(bursts.address_bits),
                "limit": In(32),
                "commands": Out(stream.Signature(ReadCommand(bursts))).array(2),
                "beats": In(stream.Signature(packed.bus_bits)).array(2),
                "busy": Out(1),
                "overrun": Out(1),
                "o": Out(stream.Signature(packed.word_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        two = Signal()
        m.d.comb += two.eq(self.b.groups != 0)
        pixels = []
        fetchers = self._fetchers
        for index, (name, source) in enumerate((("a", self.a), ("b", self.b))):
            fetcher = fetchers[index]
            unpacker = WordUnpacker(self._packed, self._most_words)
            repeater = PixelRepeater(self._packed.word_bits, self._max_groups)
            m.submodules[f"rows_{name}"] = fetcher
            m.submodules[f"unpacker_{name}"] = unpacker
            m.submodules[f"repeater_{name}"] = repeater
            wiring.connect(m, fetcher.commands, wiring.flipped(self.commands[index]))
            wiring.connect(m, fetcher.segments, unpacker.segments)
            wiring.connect(m, wiring.flipped(self.beats[index]), unpacker.i)
            wiring.connect(m, unpacker.o, repeater.i)
            m.d.comb += [
                fetcher.start.eq(self.start if index == 0 else self.start & two),
                fetcher.config.eq(source),
                fetcher.width.eq(self.width),
                fetcher.height.eq(self.height),
                fetcher.odd.eq(self.odd),
                fetcher.origin.eq(self.origin),
                fetcher.limit.eq(self.limit),
                repeater.start.eq(self.start),
                repeater.up.eq(source.up),
                repeater.odd.eq(self.odd),
                repeater.groups.eq(source.groups),
                repeater.width.eq(self.width),
            ]
            pixels.append(repeater)

        m.submodules.words = words = EarlyQueue(self._packed.word_bits, stages=2)
        wiring.connect(m, words.o, wiring.flipped(self.o))
        second, second_next, second_then = Signal(), Signal(), Signal()
        passes, ends = Signal(2), Signal(2)  # a word of either, and of its pixel's the last
        alternate = Signal()  # `two`, from a register
        m.d.sync += alternate.eq(two)
        m.d.comb += [
            second_next.eq(Mux(ends.any(), ~second & alternate, second) & ~self.start),
            self.busy.eq(fetchers[0].busy | fetchers[1].busy),
            self.overrun.eq(fetchers[0].overrun | fetchers[1].overrun),
        ]
        for index, source in enumerate(pixels):
            ready = Signal(name=f"ready_{'ab'[index]}")  # there is room, and it is its turn
            word = Signal(self._packed.word_bits, name=f"word_{'ab'[index]}")
            m.d.comb += [
                source.o.ready.eq(ready),
                passes[index].eq(source.o.valid & ready),
                ends[index].eq(passes[index] & source.last),
            ]
            m.d.sync += [
                ready.eq(words.room & (second_next == index)),
                word.eq(source.o.payload),
            ]
            with m.If(second_then == index):
                m.d.comb += words.i.payload.eq(word)
        m.d.sync += [
            second.eq(second_next),
            second_then.eq(second),
            words.i.valid.eq(passes.any()),
        ]
        return m
