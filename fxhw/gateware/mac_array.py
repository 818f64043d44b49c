"""MAC array: every product and sum of one cycle."""

from amaranth.hdl import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..plan.conv_spec import TAPS, TREE_FAN_IN, ConvSpec
from .multiplier import agree, multiply

__all__ = ["MacArray"]


class MacArray(wiring.Component):
    """``TAPS * lanes_in * lanes_out`` multipliers and ``lanes_out`` adder trees, pipelined.

    The same function as :meth:`fxhw.plan.ConvSpec.compute_array`.  This is the ``generic``
    style: what :func:`.multiplier.multiply` makes and ``+``, left to the synthesizer; binary
    weights and signs are counted, not added.  :class:`.mac_lut.LutMacArray` is another, with this
    signature.

    *Latency*: :attr:`latency` cycles.  *Throughput*: a window per cycle, no stall.

    Parameters
    ----------
    spec : formats and lanes.

    Members
    -------
    window : TAPS words of ``lanes_in`` activation codes.
    weights : weight word, ``[lane out][tap][lane in]``.
    sums : ``lanes_out`` dot products.
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
        """Cycles from operands to sums: the products, then the levels of the tree."""
        return self._spec.array_latency

    def elaborate(self, platform):
        m = Module()
        spec = self._spec
        bits, wbits = spec.activation.width, spec.weight.bits
        window = self.window.as_value()
        lane_terms = TAPS * spec.lanes_in
        counts = spec.weight.binary and spec.activation.codes == "sign"
        for lane in range(spec.lanes_out):
            terms = []
            for index in range(lane_terms):
                code = window.word_select(index, bits)
                weight = self.weights.word_select(lane * lane_terms + index, wbits)
                if counts:
                    product = agree(weight, code)
                else:
                    product = multiply(spec.weight, spec.activation, weight, code)
                terms.append(_register(m, product, f"product_{lane}_{index}"))
            level = 0
            while len(terms) > 1:
                sums = [
                    sum(terms[i : i + TREE_FAN_IN]) for i in range(0, len(terms), TREE_FAN_IN)
                ]
                if counts and len(sums) == 1:
                    # Every product that is not +1 is -1.
                    sums = [(sums[0] << 1) - lane_terms]
                terms = [
                    _register(m, value, f"sum_{lane}_{level}_{TREE_FAN_IN * i}")
                    for i, value in enumerate(sums)
                ]
                level += 1
            m.d.comb += self.sums[lane].eq(terms[0])
        return m


def _register(m: Module, value: Value, name: str) -> Signal:
    """A register of ``value``'s own shape."""
    register = Signal(Value.cast(value).shape(), name=name, reset_less=True)
    m.d.sync += register.eq(value)
    return register
