"""Main datapath: one step of the program, from its input to its results."""

from amaranth.hdl import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from .column_trim import ColumnTrim
from .conv_engine import ConvEngine
from .descriptor import LayerConfig
from .head import Head, MaskBeat
from .max_pool import MaxPool
from .repacker import Repacker
from .stream import StreamFork
from .weight_store import LoadSignature

__all__ = ["MainDatapath"]


class MainDatapath(wiring.Component):
    """Convolves, pools and classifies one step.

    ::

        source -----------+
                          +-> stage -> engine (-> trim) -> fork -+-> repacker ---------> full
        first convolution-+                                      +-> pool -> repacker -> pooled
                                                                 +-> stage -> head -> mask

    With external memory a layer may come in strips of columns; the trim drops the results of the
    columns beside them.
    Where feature maps lie is known to those on the other side of the streams alone.

    Parameters
    ----------
    design : widths and maxima.

    Members
    -------
    start, layer : pulse that begins a step, and its configuration, stable while it runs.
    logits : the head sends logits instead of the mask.
    load, load_head : parameters of the engine (``load``) and of the head.
    front : words of the first convolution.
    source : words of stored feature maps, in the order a convolution takes them.
    full, pooled : words of the result, and of its pooled copy.
    mask : mask bytes.
    running : a step is under way, up to its last result; true already with ``start``.
    fire, blocked, waiting : the array takes a window; cannot for want of room; has none.
    result_valid, result : words of the engine that are kept, as they leave (for observation).
    """

    def __init__(self, design: Design):
        self._design = design
        words = stream.Signature(design.feature_bits)
        super().__init__(
            {
                "start": In(1),
                "layer": In(LayerConfig),
                "logits": In(1),
                "load": In(LoadSignature(design.bus_bits)),
                "load_head": In(LoadSignature(design.bus_bits)),
                "front": In(words),
                "source": In(words),
                "full": Out(words),
                "pooled": Out(words),
                "mask": Out(stream.Signature(MaskBeat)),
                "running": Out(1),
                "fire": Out(1),
                "blocked": Out(1),
                "waiting": Out(1),
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
        # A copy beside what it steers; it is there when the step starts.
        from_front = Signal()
        m.d.sync += from_front.eq(layer.from_front)
        # Either source lies far from the engine.
        m.submodules.stage = stage = StreamFork(design.feature_bits, 1)
        with m.If(from_front):
            self._take_front(m, engine, stage.i)
        with m.Else():
            wiring.connect(m, wiring.flipped(self.source), stage.i)
        wiring.connect(m, stage.o[0], engine.i)
        wiring.connect(m, wiring.flipped(self.load), engine.load)
        words, trimming = self._trim(m, engine)
        wiring.connect(m, words, fork.i)
        self._connect_results(m, fork)

        # What stands behind the mask's pins lies far from the fork, which waits for all branches.
        m.submodules.head_stage = head_stage = StreamFork(design.main.out_bits, 1)
        wiring.connect(m, fork.o[2], head_stage.i)
        wiring.connect(m, head_stage.o[0], head.i)
        wiring.connect(m, wiring.flipped(self.load_head), head.load)
        wiring.connect(m, head.o, wiring.flipped(self.mask))
        m.d.comb += [
            engine.start.eq(self.start),
            engine.config.eq(layer.conv),
            fork.enable.eq(Cat(layer.store_full, layer.store_pool, layer.to_head)),
            stage.enable.eq(1),
            head_stage.enable.eq(1),
            head.start.eq(self.start & layer.to_head),
            head.groups.eq(layer.conv.groups_out),
            head.width.eq(self._width),
            head.height.eq(layer.conv.height),
            head.logits.eq(self.logits),
        ]
        m.d.comb += [
            self.running.eq(self.start | engine.busy | trimming | head.busy),
            self.fire.eq(engine.fire),
            self.blocked.eq(engine.blocked),
            self.waiting.eq(engine.busy & ~engine.fire & ~engine.blocked),
            self.result_valid.eq(words.valid & words.ready),
            self.result.eq(words.payload),
        ]
        return m

    def _take_front(self, m, engine, words):
        """Words of the first convolution; those of a further strip wait for their own step."""
        taking = C(1)
        if self._design.external:
            taking = Signal()
            m.d.sync += taking.eq(self.start | engine.busy)
        m.d.comb += [
            words.valid.eq(self.front.valid & taking),
            words.payload.eq(self.front.payload),
            self.front.ready.eq(words.ready & taking),
        ]

    @property
    def _width(self):
        """Columns of the results."""
        return self.layer.columns if self._design.external else self.layer.conv.width

    def _trim(self, m, engine):
        """The results that are kept, and whether some are still to be looked at."""
        design, layer = self._design, self.layer
        if not design.external:
            return engine.o, 0
        m.submodules.trim = trim = ColumnTrim(
            design.main.out_bits, max_groups=design.max_groups_out, max_width=design.max_width,
            max_height=design.max_height,
        )
        wiring.connect(m, engine.o, trim.i)
        m.d.comb += [
            trim.start.eq(self.start),
            trim.left.eq(layer.trim_left),
            trim.right.eq(layer.trim_right),
            trim.groups.eq(layer.conv.groups_out),
            trim.width.eq(layer.conv.width),
            trim.height.eq(layer.conv.height),
        ]
        return trim.o, trim.busy

    def _connect_results(self, m, fork):
        """The result itself, and its pooled copy, as words of ``pin`` codes."""
        design, layer = self._design, self.layer
        m.submodules.pool = pool = MaxPool(
            design.abits,
            design.pout,
            design.pool_words,
            max_size=max(design.max_width, design.max_height),
            max_groups=design.max_groups_out,
            signed=design.activation.twos_complement,
            lut_ram=design.pool_in_lut_ram,
            target=design.target,
        )
        wiring.connect(m, fork.o[1], pool.i)
        # It lies far from where steps start, and its first word comes much later.
        m.d.sync += pool.start.eq(self.start)
        m.d.comb += [
            pool.width.eq(self._width),
            pool.height.eq(layer.conv.height),
            pool.groups.eq(layer.conv.groups_out),
        ]
        for name, words, result in (
            ("full", fork.o[0], self.full), ("pooled", pool.o, self.pooled)
        ):
            m.submodules[f"{name}_repacker"] = repacker = Repacker(
                design.abits,
                design.pout,
                design.pin,
                max_words=max(design.max_groups_out, design.max_words_out),
            )
            wiring.connect(m, words, repacker.i)
            wiring.connect(m, repacker.o, wiring.flipped(result))
            m.d.comb += [
                repacker.in_words.eq(layer.conv.groups_out),
                repacker.out_words.eq(layer.words_out),
            ]
