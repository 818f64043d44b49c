"""Main datapath: one step of the program, from its sources to wherever its results go."""

from amaranth.hdl import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from .conv_engine import ConvEngine
from .descriptor import LayerConfig
from .feature_reader import FeatureReader
from .feature_writer import FeatureWriter, WriteArbiter
from .head import Head, MaskBeat
from .max_pool import MaxPool
from .memory_port import ReadPort, WriteRequest
from .repacker import Repacker
from .stream import StreamFork
from .weight_store import LoadSignature

__all__ = ["MainDatapath"]


class MainDatapath(wiring.Component):
    """Reads, convolves and writes one step.

    ::

        feature memory -> reader -+
                                  +-> engine -> fork -+-> repacker ----------> writer -+
        first convolution --------+                   +-> pool -> repacker --> writer -+-> memory
                                                      +-> head -> mask

    Only the reader and the writers know where feature maps lie; an external memory takes their
    place without a change to the rest.

    Parameters
    ----------
    design : widths and maxima.

    Members
    -------
    start, layer : pulse that begins a step, and its configuration, stable while it runs.
    logits : the head sends logits instead of the mask.
    load, load_head : parameters of the engine (``load``) and of the head.
    front : words of the first convolution.
    mask : mask bytes.
    read, write : the feature memory; a write is always taken.
    running : a step is under way; true already with ``start``.
    fire, blocked, waiting : the array takes a window; cannot for want of room; has none.
    overrun : a feature map left the memory.
    result_valid, result : words of the engine, as they leave (for observation).
    """

    def __init__(self, design: Design):
        self._design = design
        self._reader = FeatureReader(
            design.feature_bits,
            design.feature_words,
            max_width=design.max_width,
            max_height=design.max_height,
            max_groups=design.max_groups_in,
            memory_latency=design.feature_banks.latency,
        )
        self._request = WriteRequest(design.feature_words, design.feature_bits)
        super().__init__(
            {
                "start": In(1),
                "layer": In(LayerConfig),
                "logits": In(1),
                "load": In(LoadSignature(design.bus_bits)),
                "load_head": In(LoadSignature(design.bus_bits)),
                "front": In(stream.Signature(design.feature_bits)),
                "mask": Out(stream.Signature(MaskBeat)),
                "read": Out(ReadPort(design.feature_words, design.feature_bits)),
                "write": Out(stream.Signature(self._request, always_ready=True)),
                "running": Out(1),
                "fire": Out(1),
                "blocked": Out(1),
                "waiting": Out(1),
                "overrun": Out(1),
                "result_valid": Out(1),
                "result": Out(design.main.out_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        design, layer = self._design, self.layer
        m.submodules.engine = engine = ConvEngine(design.main, design.bus_bits, banks=2)
        m.submodules.fork = fork = StreamFork(design.main.out_bits, 3)
        m.submodules.head = head = Head(design)
        self._connect_source(m, engine)
        wiring.connect(m, wiring.flipped(self.load), engine.load)
        wiring.connect(m, engine.o, fork.i)
        writers = self._connect_sinks(m, fork)

        wiring.connect(m, fork.o[2], head.i)
        wiring.connect(m, wiring.flipped(self.load_head), head.load)
        wiring.connect(m, head.o, wiring.flipped(self.mask))
        m.d.comb += [
            engine.start.eq(self.start),
            engine.config.eq(layer.conv),
            fork.enable.eq(Cat(layer.store_full, layer.store_pool, layer.to_head)),
            head.start.eq(self.start & layer.to_head),
            head.groups.eq(layer.conv.groups_out),
            head.width.eq(layer.conv.width),
            head.height.eq(layer.conv.height),
            head.logits.eq(self.logits),
        ]

        sinks_busy = writers[0].busy | writers[1].busy | head.busy
        m.d.comb += [
            self.running.eq(self.start | engine.busy | sinks_busy),
            self.fire.eq(engine.fire),
            self.blocked.eq(engine.blocked),
            self.waiting.eq(engine.busy & ~engine.fire & ~engine.blocked),
            self.overrun.eq(
                self._reader.overrun | writers[0].overrun | writers[1].overrun
            ),
            self.result_valid.eq(engine.o.valid & engine.o.ready),
            self.result.eq(engine.o.payload),
        ]
        return m

    def _connect_source(self, m, engine):
        """The engine's input: the feature memory, or the first convolution."""
        layer = self.layer
        m.submodules.reader = reader = self._reader
        wiring.connect(m, reader.memory, wiring.flipped(self.read))
        m.d.comb += [
            reader.start.eq(self.start & ~layer.from_front),
            reader.a.eq(layer.a),
            reader.b.eq(layer.b),
            reader.width.eq(layer.conv.width),
            reader.height.eq(layer.conv.height),
        ]
        with m.If(layer.from_front):
            wiring.connect(m, wiring.flipped(self.front), engine.i)
        with m.Else():
            wiring.connect(m, reader.o, engine.i)

    def _connect_sinks(self, m, fork):
        """Both ways into the feature memory: the result itself, and its pooled copy."""
        design, layer = self._design, self.layer
        m.submodules.pool = pool = MaxPool(
            design.abits,
            design.pout,
            design.pool_words,
            max_size=max(design.max_width, design.max_height),
            max_groups=design.max_groups_out,
            signed=design.activation.twos_complement,
            lut_ram=design.pool_in_lut_ram,
        )
        m.submodules.arbiter = arbiter = WriteArbiter(self._request)
        wiring.connect(m, fork.o[1], pool.i)
        m.d.comb += [
            pool.start.eq(self.start),
            pool.width.eq(layer.conv.width),
            pool.height.eq(layer.conv.height),
            pool.groups.eq(layer.conv.groups_out),
        ]
        writers = []
        for name, words, stored, base, halve in (
            ("full", fork.o[0], layer.store_full, layer.full_base, 0),
            ("pooled", pool.o, layer.store_pool, layer.pool_base, 1),
        ):
            repacker = Repacker(
                design.abits,
                design.pout,
                design.pin,
                max_words=max(design.max_groups_out, design.max_words_out),
            )
            writer = FeatureWriter(
                design.feature_bits,
                design.feature_words,
                max_width=design.max_width,
                max_height=design.max_height,
                max_words=design.max_words_out,
            )
            m.submodules[f"{name}_repacker"] = repacker
            m.submodules[f"{name}_writer"] = writer
            wiring.connect(m, words, repacker.i)
            wiring.connect(m, repacker.o, writer.i)
            m.d.comb += [
                repacker.in_words.eq(layer.conv.groups_out),
                repacker.out_words.eq(layer.words_out),
                writer.start.eq(self.start & stored),
                writer.base.eq(base),
                writer.words.eq(layer.words_out),
                writer.stride.eq(layer.pixel_stride),
            ]
            # Rounded up; they are there before the first word is.
            m.d.sync += [
                writer.width.eq((layer.conv.width + halve) >> halve),
                writer.height.eq((layer.conv.height + halve) >> halve),
            ]
            writers.append(writer)
        # The pooled copy goes first: it comes seldom and holds up the result behind it.
        wiring.connect(m, writers[1].o, arbiter.i[0])
        wiring.connect(m, writers[0].o, arbiter.i[1])
        wiring.connect(m, arbiter.o, wiring.flipped(self.write))
        return writers
