"""External features: the feature maps of a step, read from external memory and written there."""

from amaranth.hdl import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.bursts import BurstSpec
from ..plan.design import Design
from ..plan.packed_words import PackedWords
from .axi4 import Axi4ReadSignature, Axi4WriteSignature
from .burst_reader import BurstReader
from .burst_writer import BurstWriter
from .descriptor import LayerConfig
from .external_reader import ExternalReader
from .external_writer import ExternalWriter

__all__ = ["ExternalFeatures"]


class ExternalFeatures(wiring.Component):
    """What stands around the main datapath in place of the feature memory.

    ::

        reads[0], reads[1] -> burst readers (sources A, B) -> reader -> source
        full   -> writer -> burst writer -> writes[0]
        pooled -> writer -> burst writer -> writes[1]

    Burst readers and writers never hold up the bus, so that their ports may share one.  A step may
    read what the one before wrote as soon as ``busy`` is 0: then every write has been answered.

    *Throughput*: a word per cycle and stream, or what the bus carries if that is less.

    Parameters
    ----------
    design : widths and maxima.
    bursts : the bus and its bursts.
    read_depth, write_depth : beats that the queue of a burst reader and of a burst writer holds.

    Members
    -------
    start, layer : pulse that begins a step, and its configuration, stable until ``busy`` falls;
        bases and strides are bytes in the range.
    origin, limit : first address and bytes of the range the feature maps lie in.
    source : words of the step's input; none if it comes from the first convolution.
    full, pooled : words of its result and of the pooled copy; taken where the step stores them.
    cancel : pulse: forget the step and everything on its way.
    clear : pulse: forget a fault.
    busy : a row is still to be asked for, a word to be written, or a write to be answered.
    overrun : pulse: a row would leave the range; nothing out there is touched.
    read_fault, write_fault : the memory answered with an error; stays until ``clear``.
    idle : nothing is on its way to or from the memory; so, after ``cancel``, all is forgotten.
    reads, writes : the ports, without IDs.
    """

    def __init__(
        self, design: Design, bursts: BurstSpec, *, read_depth: int = 512, write_depth: int = 128
    ):
        self._packed = packed = PackedWords(design.feature_bits, design.bus_bits)
        self._reader = ExternalReader(
            packed, bursts, max_width=design.max_width, max_groups=design.max_groups_in
        )
        self._writers = [
            ExternalWriter(
                packed, bursts, max_width=design.max_width, max_words=design.max_words_out
            )
            for _ in range(2)
        ]
        target = design.target
        self._burst_readers = [
            BurstReader(bursts, depth=read_depth, target=target) for _ in range(2)
        ]
        self._burst_writers = [
            BurstWriter(bursts, depth=write_depth, target=target) for _ in range(2)
        ]
        words = stream.Signature(packed.word_bits)
        bus = bursts.address_bits, bursts.data_bits
        super().__init__(
            {
                "start": In(1),
                "layer": In(LayerConfig),
                "origin": In(bursts.address_bits),
                "limit": In(32),
                "source": Out(words),
                "full": In(words),
                "pooled": In(words),
                "cancel": In(1),
                "clear": In(1),
                "busy": Out(1),
                "overrun": Out(1),
                "read_fault": Out(1),
                "write_fault": Out(1),
                "idle": Out(1),
                "reads": Out(Axi4ReadSignature(*bus)).array(2),
                "writes": Out(Axi4WriteSignature(*bus)).array(2),
            }
        )

    def elaborate(self, platform):
        m = Module()
        reader, writers = self._reader, self._writers
        burst_readers, burst_writers = self._burst_readers, self._burst_writers
        self._read(m)
        self._write(m)
        for engine in (*burst_readers, *burst_writers):
            m.d.comb += [engine.cancel.eq(self.cancel), engine.clear.eq(self.clear)]
        for part in (reader, *writers):
            m.d.comb += [part.origin.eq(self.origin), part.limit.eq(self.limit)]
        answered = burst_writers[0].idle & burst_writers[1].idle
        m.d.comb += [
            self.busy.eq(
                Cat(part.busy for part in (reader, *writers)).any()
                | Cat(part.start for part in (reader, *writers)).any()
                | ~answered
            ),
            self.overrun.eq(Cat(part.overrun for part in (reader, *writers)).any()),
            self.read_fault.eq(Cat(engine.fault for engine in burst_readers).any()),
            self.write_fault.eq(Cat(engine.fault for engine in burst_writers).any()),
            self.idle.eq(Cat(engine.idle for engine in burst_readers).all() & answered),
        ]
        return m

    def _read(self, m):
        """The sources; what is on its way in the reader is forgotten by a reset."""
        reader, layer = self._reader, self.layer
        m.submodules.reader = ResetInserter(self.cancel)(reader)
        for index, engine in enumerate(self._burst_readers):
            m.submodules[f"burst_reader_{'ab'[index]}"] = engine
            beats = reader.beats[index]
            wiring.connect(m, reader.commands[index], engine.commands)
            wiring.connect(m, engine.bus, wiring.flipped(self.reads[index]))
            m.d.comb += [
                beats.valid.eq(engine.o.valid),
                beats.payload.eq(engine.o.payload.data),
                engine.o.ready.eq(beats.ready),
            ]
        for name in ("base", "row_stride", "groups", "up"):
            m.d.comb += [
                getattr(reader.a, name).eq(getattr(layer.a, name)),
                getattr(reader.b, name).eq(getattr(layer.b, name)),
            ]
        # It has many loads; the datapath still runs when it comes.
        m.d.sync += reader.start.eq(self.start & ~layer.from_front & ~self.cancel)
        m.d.comb += [
            reader.width.eq(layer.conv.width),
            reader.height.eq(layer.conv.height),
            reader.odd.eq(layer.odd),
        ]
        wiring.connect(m, reader.o, wiring.flipped(self.source))

    def _write(self, m):
        """The results; the writers, too, start a cycle later, when halves are there."""
        layer = self.layer
        results = (
            ("full", self.full, layer.store_full, layer.full_base, layer.full_row_stride),
            ("pooled", self.pooled, layer.store_pool, layer.pool_base, layer.pool_row_stride),
        )
        for halve, (name, words, stored, base, row_stride) in enumerate(results):
            writer, engine = self._writers[halve], self._burst_writers[halve]
            m.submodules[f"{name}_writer"] = ResetInserter(self.cancel)(writer)
            m.submodules[f"{name}_burst_writer"] = engine
            wiring.connect(m, wiring.flipped(words), writer.i)
            wiring.connect(m, writer.commands, engine.commands)
            wiring.connect(m, writer.beats, engine.i)
            wiring.connect(m, engine.bus, wiring.flipped(self.writes[halve]))
            m.d.comb += [
                writer.target.base.eq(base),
                writer.target.row_stride.eq(row_stride),
                writer.target.pixel_stride.eq(layer.pixel_stride),
                writer.target.words.eq(layer.words_out),
            ]
            m.d.sync += [
                writer.start.eq(self.start & stored & ~self.cancel),
                writer.width.eq((layer.columns + halve) >> halve),
                writer.height.eq((layer.conv.height + halve) >> halve),
            ]
