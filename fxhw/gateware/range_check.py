"""Range check: whether ranges of external memory are apart, aligned and within reach."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..plan.bursts import BurstSpec
from ..plan.registers import RANGES, ErrorCode

__all__ = ["RangeCheck"]


class RangeCheck(wiring.Component):
    """Compares every range with every other, one after the other; :func:`check_ranges` in gateware.

    Each range's base is subtracted from that of each other one, and from the end of the address
    space.  A difference from 0 up to less than the range's bytes is an overlap, or a range that
    does not end in time.  In its own turn a range's alignment is looked at.

    ::

        turn -> base, bytes, other base -> distance -> less than bytes -> what is wrong so far

    *Latency*: a cycle per turn and 4; 24 for four ranges.

    Parameters
    ----------
    bursts : the bus.
    count : ranges.
    size_bits : bits of a range's bytes.

    Members
    -------
    start : pulse that begins; not while a check is under way.
    bases, sizes : first address and bytes of each range; stable until ``done``.
    done : pulse, ``error`` is right.
    error : an :class:`ErrorCode`: alignment before limit before overlap.

    Raises
    ------
    ValueError if a range may have more bytes than the address space.
    """

    def __init__(self, bursts: BurstSpec, *, count: int = len(RANGES), size_bits: int = 32):
        if size_bits > bursts.address_bits:
            raise ValueError(
                f"Ranges of up to 2^{size_bits} bytes need addresses of as many bits or more, not "
                f"of {bursts.address_bits}"
            )
        self._bursts = bursts
        super().__init__(
            {
                "start": In(1),
                "bases": In(bursts.address_bits).array(count),
                "sizes": In(size_bits).array(count),
                "done": Out(1),
                "error": Out(range(max(ErrorCode) + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bases, sizes = Array(self.bases), Array(self.sizes)
        lane_bits, space = self._bursts.lane_bits, self._bursts.address_bits
        active, turn, other = self._take_turns(m)
        end = other == len(bases)  # of the address space, no range

        # What a turn is, on its way beside the operands.
        own, last, filled, valid = Signal(3), Signal(3), Signal(3), Signal(4)
        some = Signal(len(bases))
        m.d.sync += [
            some.eq(Cat(size != 0 for size in self.sizes)),
            own.eq(Cat(active & (turn == other), own)),
            last.eq(Cat(active & end, last)),
            filled.eq(Cat(active & ~end & (turn != other) & some.bit_select(other, 1), filled)),
            valid.eq(Cat(active, valid)),
        ]
        base, against = Signal(space), Signal(space + 1)
        size, size_then = Signal.like(self.sizes[0]), Signal.like(self.sizes[0])
        distance = Signal(signed(space + 2))
        within, near = Signal(), Signal()  # both: from 0 up to less than the bytes
        uneven = Signal(2)
        m.d.sync += [
            base.eq(bases[turn]),
            size.eq(sizes[turn]),
            against.eq(Mux(end, 1 << space, bases[other])),
            distance.eq(against - base),
            size_then.eq(size),
            uneven.eq(Cat(base[:lane_bits].any(), uneven)),
            within.eq(distance[: len(size)] < size_then),
            near.eq(~distance[len(size) :].any()),
        ]

        found = {
            ErrorCode.RANGE_ALIGNMENT: own[-1] & uneven[-1],
            ErrorCode.RANGE_LIMIT: last[-1] & within & near,
            ErrorCode.RANGE_OVERLAP: filled[-1] & within & near,
        }
        for code, fault in reversed(found.items()):  # the first counts
            flag = Signal(name=code.name.lower())
            m.d.sync += flag.eq((flag | fault) & ~self.start)
            with m.If(flag):
                m.d.comb += self.error.eq(code)
        m.d.comb += self.done.eq(valid[-1] & ~valid[-2])
        return m

    def _take_turns(self, m):
        """Whether a check is under way, whose turn it is, and against which other it goes."""
        count = len(self.bases)
        active, turn, other = Signal(), Signal(range(count)), Signal(range(count + 1))
        with m.If(active):
            m.d.sync += other.eq(other + 1)
            with m.If(other == count):
                m.d.sync += [other.eq(0), turn.eq(turn + 1), active.eq(turn != count - 1)]
        with m.If(self.start):
            m.d.sync += [active.eq(1), turn.eq(0), other.eq(0)]
        return active, turn, other
