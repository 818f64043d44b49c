"""MAC array of adders in look-up tables and carry cells, for operands of few bits."""

from amaranth.hdl import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..plan.bit_heap import HeapPlan
from ..plan.conv_spec import TAPS, ConvSpec
from .primitives import FAMILIES
from .primitives.generic import term_value

__all__ = ["HeapSum", "LutMacArray"]


class LutMacArray(wiring.Component):
    """The array of :class:`.mac_array.MacArray`, one-bit products summed column by column.

    All products of an output are one heap of bits (:mod:`fxhw.plan.bit_heap`), made and added in
    carry cells: close to one look-up table per bit of a product.  Sums may have something too
    much that depends on the weights alone (:meth:`fxhw.plan.ConvSpec.excess`).

    *Latency*: :attr:`latency` cycles.  *Throughput*: a window per cycle, no stall.

    Parameters
    ----------
    spec : formats, lanes and the family whose cells are used.

    Members
    -------
    window, weights, sums : as of the other array.
    """

    def __init__(self, spec: ConvSpec):
        self._spec = spec
        super().__init__(
            {
                "window": In(data.ArrayLayout(spec.word_bits, TAPS)),
                "weights": In(spec.weight_bits),
                "sums": Out(data.ArrayLayout(signed(spec.partial.width), spec.lanes_out)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from operands to sums."""
        return self._spec.array_latency

    def elaborate(self, platform):
        m = Module()
        spec = self._spec
        size = TAPS * spec.lanes_in * spec.weight.bits
        plan = spec.dot_product
        if plan.shared is not None:
            m.submodules.shared = shared = HeapSum(plan.shared, spec.target)
            m.d.comb += shared.i.eq(self.window.as_value()[: plan.shared.inputs])
        for lane in range(spec.lanes_out):
            heap = HeapSum(plan, spec.target)
            m.submodules[f"lane_{lane}"] = heap
            if plan.shared is not None:
                m.d.comb += heap.shared.eq(shared.o)
            m.d.comb += [
                heap.i.eq(Cat(self.window.as_value(), self.weights.word_select(lane, size))),
                self.sums[lane].eq(heap.o),
            ]
        return m


class HeapSum(wiring.Component):
    """One sum as planned.

    Parameters
    ----------
    plan : the adders.
    family : whose cells are used, a name of :data:`.primitives.FAMILIES`.

    Members
    -------
    i : bits given.
    shared : the sum that the plan shares with others, if it does, ``plan.shared.latency`` cycles
        after the bits.
    o : the sum, ``plan.latency`` cycles later.
    """

    def __init__(self, plan: HeapPlan, family: str):
        self._plan = plan
        self._family = FAMILIES[family]
        members = {"i": In(plan.inputs), "o": Out(len(plan.total))}
        if plan.shared is not None:
            members["shared"] = In(len(plan.shared.total))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        values = dict(enumerate(self.i))
        stage, shared = 0, self._plan.shared
        for number, level in enumerate(self._plan.levels):
            if shared is not None and stage == shared.latency:
                values |= dict(enumerate(self.shared, self._plan.inputs))
            stage += level.registered
            if level.functions:
                values |= self._family.look_up(m, level.functions, values, f"functions_{number}")
            if level.adders:
                values |= self._family.add(m, level.adders, values, f"level_{number}")
            if level.registered:
                kept = Signal(len(level.live), name=f"kept_{number}", reset_less=True)
                m.d.sync += kept.eq(Cat(values[bit] for bit in level.live))
                values = dict(zip(level.live, kept))
        m.d.comb += self.o.eq(Cat(term_value(term, values) for term in self._plan.total))
        return m
