"""MAC array of multiplier blocks that hold several products each."""

from amaranth.hdl import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..plan.conv_spec import ConvSpec
from ..plan.packed_array import Block
from .mac_lut import HeapSum
from .primitives.multiplier import RegisteredMultiplier

__all__ = ["DspMacArray"]


class DspMacArray(wiring.Component):
    """The array of :class:`.mac_array.MacArray`, products packed into multiplier blocks.

    ::

        window, weights -+-> blocks, each one `*` ----+-> heap of each sum --> minus --> sums
                         +-> (what no block takes) ---+                         |
                         +-> activations summed, once for all channels ---------+

    Styles ``dsp`` and ``mixed`` differ in how many products are in blocks; see
    :mod:`fxhw.plan.packed_array`.  A block multiplies two unsigned operands that fit it, and has
    the product's register (:mod:`.primitives.multiplier`); adders are cells of the family.

    *Latency*: :attr:`latency` cycles.  *Throughput*: a window per cycle, no stall.

    Parameters
    ----------
    spec : formats, lanes, pixels and the family whose blocks are used.

    Members
    -------
    window, weights : as of the other array, but for a window of two pixels, and for the sign bits
        of weights, which come flipped; see :meth:`fxhw.plan.ConvSpec.encode_weights`.
    sums : ``lanes_out * spec.sums`` sums, those of a channel side by side.
    """

    def __init__(self, spec: ConvSpec):
        self._spec = spec
        self._plan = spec.packed_array
        sums = data.ArrayLayout(signed(self._plan.width), spec.lanes_out * spec.sums)
        super().__init__(
            {
                "window": In(data.ArrayLayout(spec.word_bits, spec.window_words)),
                "weights": In(spec.weight_bits),
                "sums": Out(sums),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from operands to sums."""
        return self._plan.latency

    def elaborate(self, platform):
        m = Module()
        plan = self._plan
        products = [self._multiply(m, n, block) for n, block in enumerate(plan.blocks)]
        codes, weights = self._keep_rest(m)
        excess = self._correct(m) if plan.corrections else None
        for number, heap in enumerate(plan.heaps):
            rest = plan.rest_of(number)
            for channel in range(plan.channels):
                fields = []
                for index, position in plan.fields(channel, number):
                    field = plan.blocks[index].packing.fields[position]
                    fields.append(products[index][field.shift : field.shift + field.width])
                name = f"{channel}_{number}"
                late, wait = heap.shared is not None, plan.waits(number)
                total = self._sum(
                    m, f"heap_{name}", heap,
                    [
                        C(0, heap.shared.inputs) if late else Cat(fields),
                        *(codes[p.code] if wait else self._code(p.code) for p in rest),
                        *(
                            weights[channel, p.weight] if wait else self._weight(channel, p.weight)
                            for p in rest
                        ),
                    ],
                    Cat(fields) if late else None,
                )
                lag = plan.latency - (excess is not None) - plan.latency_of(number)
                total = _delay(m, total, lag, f"total_{name}")
                if excess is not None:
                    true = Signal.like(total, name=f"sum_{name}", reset_less=True)
                    m.d.sync += true.eq(total - excess[number])
                    total = true
                m.d.comb += self.sums[channel * plan.sums + number].eq(total.as_signed())
        return m

    def _code(self, number):
        return self.window.as_value().word_select(number, self._spec.activation.width)

    def _weight(self, channel, number):
        spec = self._spec
        size = spec.weight_bits // spec.lanes_out
        return self.weights.word_select(channel, size).word_select(number, spec.weight.bits)

    def _multiply(self, m, number, block: Block):
        """The product of a block, a cycle later."""
        packing = block.packing
        codes = _place(packing.activations, [self._code(code) for code in block.codes])
        weights = _place(packing.weights, [self._weight(*weight) for weight in block.weights])
        operands = sorted((codes, weights), key=len, reverse=True)  # blocks are wider on one side
        multiplier = RegisteredMultiplier(self._spec.target, *map(len, operands))
        m.submodules[f"block_{number}"] = multiplier
        m.d.comb += [multiplier.a.eq(operands[0]), multiplier.b.eq(operands[1])]
        return multiplier.p

    def _keep_rest(self, m):
        """Codes and weights of products that no block takes and that wait for the blocks'."""
        plan, codes, weights = self._plan, {}, {}
        for product in plan.rest:
            if not plan.waits(product.sum):
                continue
            if product.code not in codes:
                name = f"code_{product.code}"
                codes[product.code] = _delay(m, self._code(product.code), 1, name)
            for channel in range(plan.channels):
                place = channel, product.weight
                if place not in weights:
                    name = f"weight_{channel}_{product.weight}"
                    weights[place] = _delay(m, self._weight(*place), 1, name)
        return codes, weights

    def _correct(self, m):
        """What every sum has too much, when the heaps are done."""
        plan = self._plan
        slowest = plan.correction_latency - 1
        terms = [[] for _ in plan.heaps]
        for number, part in enumerate(plan.corrections):
            name = f"codes_sum_{number}"
            total = self._sum(m, name, part.heap, [self._code(code) for code in part.codes])
            total = _delay(m, total, slowest - part.heap.latency, name)
            for sum_terms, count in zip(terms, part.sums):
                sum_terms += [total] * count
        shift = plan.offset.bit_length() - 1
        excess = []
        for number, sum_terms in enumerate(terms):
            value = sum(sum_terms, C(0, 1)) << shift
            lag = plan.latency - 1 - slowest
            excess.append(_delay(m, value, lag, f"excess_{number}"))
        return excess

    def _sum(self, m, name, plan, parts, late=None):
        heap = HeapSum(plan, self._spec.target)
        m.submodules[name] = heap
        m.d.comb += heap.i.eq(Cat(parts))
        if late is not None:
            m.d.comb += heap.shared.eq(late)
        return heap.o


def _place(shifts, values):
    """``values`` side by side, each at its shift."""
    parts, end = [], 0
    for shift, value in zip(shifts, values):
        parts += [C(0, shift - end), value]
        end = shift + len(value)
    return Cat(parts)


def _delay(m, value, cycles, name):
    for n in range(cycles):
        later = Signal(len(value), name=f"{name}_{n}", reset_less=True)
        m.d.sync += later.eq(value)
        value = later
    return value
