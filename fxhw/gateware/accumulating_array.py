"""The MAC array with its accumulators: all that multiplies and adds in a convolution engine."""

from amaranth.hdl import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..plan.conv_spec import ConvSpec
from .accumulators import Accumulators
from .array_styles import make_array
from .delay import delay
from .pair_accumulators import PairAccumulators

__all__ = ["AccumulatingArray"]


class AccumulatingArray(wiring.Component):
    """Windows and weights in, whole dot products out.

    *Latency*: :attr:`latency` cycles from the last input group to its results.  *Throughput*: a
    window per cycle, no stall.

    Parameters
    ----------
    spec : formats, lanes and style.

    Members
    -------
    window, weights : as of the array, :class:`.mac_array.MacArray`.
    valid, first, last, group : what the operands belong to, in the same cycle as they; as of
        :class:`.accumulators.Accumulators`.  Of two pixels also ``left``, as of
        :class:`.pair_accumulators.PairAccumulators`.
    o_valid, o : results of the last input group.
    """

    def __init__(self, spec: ConvSpec):
        self._spec = spec
        self._array = make_array(spec)
        accumulators = PairAccumulators if spec.pixels == 2 else Accumulators
        self._accumulators = accumulators(spec)
        super().__init__(
            {
                "window": In(data.ArrayLayout(spec.word_bits, spec.window_words)),
                "weights": In(spec.weight_bits),
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                **({"left": In(1)} if spec.pixels == 2 else {}),
                "group": In(range(spec.max_groups_out)),
                "o_valid": Out(1),
                "o": Out(self._accumulators.o.shape()),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from operands to results."""
        return self._array.latency + 1

    def elaborate(self, platform):
        m = Module()
        m.submodules.array = array = self._array
        m.submodules.accumulators = accumulators = self._accumulators
        names = ["valid", "first", "last"] + ["left"] * (self._spec.pixels == 2)
        tag = Cat(getattr(self, name) for name in names)
        m.d.comb += [
            array.window.eq(self.window),
            array.weights.eq(self.weights),
            Cat(getattr(accumulators, name) for name in names).eq(
                delay(m, tag, array.latency, "tag")
            ),
            accumulators.next_group.eq(delay(m, self.group, array.latency - 1, "group")),
            accumulators.sums.eq(array.sums),
            self.o_valid.eq(accumulators.o_valid),
            self.o.eq(accumulators.o),
        ]
        return m
