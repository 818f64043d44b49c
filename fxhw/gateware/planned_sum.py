"""One planned sum by itself, in a pipeline that can be held."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..plan.bit_heap import HeapPlan
from .mac_lut import HeapSum

__all__ = ["PlannedSum"]


class PlannedSum(wiring.Component):
    """A plan's adders, with those that it would share with other sums.

    *Latency*: ``plan.latency`` cycles in which ``enable`` is set.  *Throughput*: a sum in each.

    Parameters
    ----------
    plan : the adders.
    family : whose cells are used, a name of :data:`.primitives.FAMILIES`.

    Members
    -------
    enable : whether the pipeline moves on.
    i : bits given.
    o : the sum, signed.
    """

    def __init__(self, plan: HeapPlan, family: str):
        self._plan = plan
        self._family = family
        width = signed(len(plan.total))
        super().__init__({"enable": In(1), "i": In(plan.inputs), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        heap = HeapSum(self._plan, self._family)
        m.submodules.heap = EnableInserter(self.enable)(heap)
        m.d.comb += [heap.i.eq(self.i), self.o.eq(heap.o)]
        if self._plan.shared is not None:
            shared = HeapSum(self._plan.shared, self._family)
            m.submodules.shared = EnableInserter(self.enable)(shared)
            m.d.comb += [
                shared.i.eq(self.i[: self._plan.shared.inputs]), heap.shared.eq(shared.o)
            ]
        return m
