"""Cycle counters: what each cycle of a run was spent on, with one adder for all upper bits."""

from amaranth.hdl import *
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

__all__ = ["CycleCounters"]

class CycleCounters(wiring.Component):
    """Counters whose upper bits lie in a memory that is gone through, one word per cycle.

    A counter's lower bits carry into a flag; when its upper bits come by, they are raised by it.
    There they can be read too, unless a carry is on its way.

    *Latency*: a counter can be read within two rounds.

    Parameters
    ----------
    counters : how many, a power of two; those that never count cost nothing.
    bits : of each.

    Members
    -------
    clear : pulse: all counters are 0 in the next cycle; they may count from then on.
    count : one bit per counter: it counts this cycle.
    slot : number of the counter that is next at hand ...
    value : ... and in the cycle after, its value, ...
    settled : ... if this is set.
    """

    def __init__(self, counters: int, bits: int = 32):
        self._counters = counters
        # Then carries come every other round at most.
        self._low_bits = ceil_log2(counters) + 1
        self._upper_bits = bits - self._low_bits
        super().__init__(
            {
                "clear": In(1),
                "count": In(counters),
                "slot": Out(range(counters)),
                "value": Out(bits),
                "settled": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        slots = self._counters
        m.submodules.upper = mem = memory.Memory(shape=self._upper_bits, depth=slots, init=[])
        write, read = mem.write_port(), mem.read_port(domain="comb")
        slot = self.slot
        carries = Signal(slots)
        lows = Array(Signal(self._low_bits, name=f"low_{n}") for n in range(slots))

        # A visit reads a word and what to add, and writes the sum a cycle later.
        visited = Signal.like(slot)
        upper, carry = Signal(self._upper_bits), Signal()
        low = Signal(self._low_bits)
        clearing = Signal(range(slots + 1), init=slots)
        m.d.sync += [
            slot.eq(slot + 1),
            visited.eq(slot),
            upper.eq(Mux(clearing.any(), 0, read.data)),
            carry.eq(carries.bit_select(slot, 1)),
            low.eq(lows[slot]),
        ]
        m.d.comb += [
            read.addr.eq(slot),
            write.addr.eq(visited),
            write.en.eq(1),
            write.data.eq(upper + carry),
            self.value.eq(Cat(low, upper)),
            self.settled.eq(~carry),
        ]
        for number in range(slots):
            with m.If(slot == number):
                m.d.sync += carries[number].eq(0)
            with m.If(self.count[number]):
                m.d.sync += lows[number].eq(lows[number] + 1)
                with m.If(lows[number].all()):
                    m.d.sync += carries[number].eq(1)
        with m.If(clearing.any()):
            m.d.sync += clearing.eq(clearing - 1)
        with m.If(self.clear):
            m.d.sync += [carries.eq(0), clearing.eq(slots), *(low.eq(0) for low in lows)]
        return m
