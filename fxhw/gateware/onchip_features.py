"""On-chip features: the feature memory, and the blocks that know where feature maps lie in it."""

from amaranth.hdl import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from .banked_memory import BankedMemory
from .descriptor import LayerConfig
from .feature_reader import FeatureReader
from .feature_writer import FeatureWriter, WriteArbiter
from .memory_port import WriteRequest

__all__ = ["OnchipFeatures"]


class OnchipFeatures(wiring.Component):
    """Feature maps in block RAM: a stream of a step's input, and streams of its results back.

    ::

        memory -> reader -> source
        full   -> writer -+
                          +-> memory
        pooled -> writer -+

    *Throughput*: a word in and a word out per cycle.

    Parameters
    ----------
    design : widths and maxima.

    Members
    -------
    start, layer : pulse that begins a step, and its configuration, stable while it runs.
    source : words of the step's input, unless that is the first convolution.
    full, pooled : words of its result and of the pooled copy, as far as the step stores them.
    busy : words are still to come or to be written, or were so in the cycle before.
    overrun : a feature map left the memory.
    writes : what is written, for observation.
    """

    def __init__(self, design: Design):
        self._design = design
        self._request = WriteRequest(design.feature_words, design.feature_bits)
        words = stream.Signature(design.feature_bits)
        super().__init__(
            {
                "start": In(1),
                "layer": In(LayerConfig),
                "source": Out(words),
                "full": In(words),
                "pooled": In(words),
                "busy": Out(1),
                "overrun": Out(1),
                "writes": Out(stream.Signature(self._request, always_ready=True)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        design, layer = self._design, self.layer
        m.submodules.memory = memory = BankedMemory(
            design.feature_banks, "words", target=design.target
        )
        m.submodules.reader = reader = FeatureReader(
            design.feature_bits,
            design.feature_words,
            max_width=design.max_width,
            max_height=design.max_height,
            max_groups=design.max_groups_in,
            memory_latency=design.feature_banks.latency,
        )
        wiring.connect(m, reader.memory, memory.read)
        wiring.connect(m, reader.o, wiring.flipped(self.source))
        m.d.comb += [
            reader.start.eq(self.start & ~layer.from_front),
            reader.a.eq(layer.a),
            reader.b.eq(layer.b),
            reader.width.eq(layer.conv.width),
            reader.height.eq(layer.conv.height),
        ]
        full = self._write(m, "full", self.full, layer.store_full, layer.full_base, 0)
        pooled = self._write(m, "pooled", self.pooled, layer.store_pool, layer.pool_base, 1)
        # The pooled copy goes first: it comes seldom and holds up the result behind it.
        m.submodules.arbiter = arbiter = WriteArbiter(self._request)
        wiring.connect(m, pooled.o, arbiter.i[0])
        wiring.connect(m, full.o, arbiter.i[1])
        wiring.connect(m, arbiter.o, memory.write)
        m.d.sync += self.busy.eq(full.busy | pooled.busy)
        m.d.comb += [
            self.writes.valid.eq(memory.write.valid),
            self.writes.payload.eq(memory.write.payload),
            self.overrun.eq(reader.overrun | full.overrun | pooled.overrun),
        ]
        return m

    def _write(self, m, name, words, stored, base, halve):
        """The writer of a result, or of one of half the size, rounded up."""
        design, layer = self._design, self.layer
        m.submodules[f"{name}_writer"] = writer = FeatureWriter(
            design.feature_bits,
            design.feature_words,
            max_width=design.max_width,
            max_height=design.max_height,
            max_words=design.max_words_out,
        )
        wiring.connect(m, wiring.flipped(words), writer.i)
        m.d.comb += [
            writer.start.eq(self.start & stored),
            writer.base.eq(base),
            writer.words.eq(layer.words_out),
            writer.stride.eq(layer.pixel_stride),
        ]
        # They are there before the first word is.
        m.d.sync += [
            writer.width.eq((layer.conv.width + halve) >> halve),
            writer.height.eq((layer.conv.height + halve) >> halve),
        ]
        return writer
