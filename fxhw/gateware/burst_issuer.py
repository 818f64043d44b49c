"""Burst issuer: sends the addresses of bursts, each when there are credits for its data."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.bursts import BurstSpec
from .beat_queue import BEHIND
from .burst_planner import BurstPlanner, Span

__all__ = ["AddressRequest", "BurstIssuer", "IssuedBurst", "check_depths"]


def check_depths(spec: BurstSpec, depth: int, outstanding: int) -> None:
    """Make sure that a queue of ``depth`` beats holds a burst and that one may be outstanding.

    Raises
    ------
    ValueError if not.
    """
    if not isinstance(depth, int) or depth < max(2, spec.block_beats) or depth & (depth - 1):
        raise ValueError(
            f"A burst queue's depth must be a power of two and hold a burst of "
            f"{spec.block_beats} beats, and 2 beats at least, not {depth!r}"
        )
    if not isinstance(outstanding, int) or outstanding < 1:
        raise ValueError(f"Bursts outstanding must be 1 or more, not {outstanding!r}")


def AddressRequest(spec: BurstSpec) -> data.StructLayout:
    """Payload of an address channel: byte address and AxLEN, the beats less one."""
    return data.StructLayout({"address": spec.address_bits, "length": 8})


def IssuedBurst(spec: BurstSpec) -> data.StructLayout:
    """A burst: byte address, beats less one, first byte lane, the lane behind the last one (0:
    all of the beat), and whether it is its command's last one."""
    return data.StructLayout(
        {
            "address": spec.address_bits,
            "length": spec.beat_bits,
            "first_lane": spec.lane_bits,
            "end_lane": spec.lane_bits,
            "final": 1,
        }
    )


class BurstIssuer(wiring.Component):
    """Plans bursts and issues each as soon as there are credits for all its beats.

    A credit is a beat that a queue has room for (reads) or that lies in it (writes).  What is
    compared was registered the cycle before: meanwhile credits only grow.  A burst's own are
    subtracted in the cycle after its issue; the next one is compared two cycles later.

    *Latency*: 4 cycles from a command to its first address.  *Throughput*: a burst in 3 cycles.

    Parameters
    ----------
    spec : the bus and its bursts.
    bytewise : commands are in bytes, not in beats.
    depth : credits of all of a queue's memory, at least a burst's beats; words that wait to be
        written may be :data:`.beat_queue.BEHIND` more.
    credits : credits at the start.
    outstanding : most bursts that are issued and not done.

    Members
    -------
    i : stream of commands.
    o : stream of addresses; its words are never withdrawn.
    hold : issue nothing; it may rise only in the cycle after ``issue``, and fall at any time.
    flush : forget all bursts that are not issued, take no command; one more burst may be issued
        in the first cycle of it.
    give : pulse, one more credit.
    reload : as many credits as at the start.
    done : pulse, the oldest burst is done.
    issue : pulse, the burst ``issued`` becomes valid at ``o`` in the next cycle.
    issued : see :func:`IssuedBurst`.
    in_flight : bursts issued and not done.
    home : all credits of ``depth`` are here.
    idle : no command in hand, no address waiting, no burst in flight; from a register, a cycle late
        when it rises.
    """

    def __init__(
        self, spec: BurstSpec, bytewise: bool, depth: int, credits: int, outstanding: int
    ):
        check_depths(spec, depth, outstanding)
        self._spec = spec
        self._bytewise = bytewise
        self._outstanding = outstanding
        super().__init__(
            {
                "i": In(stream.Signature(Span(spec, bytewise))),
                "o": Out(stream.Signature(AddressRequest(spec))),
                "hold": In(1),
                "flush": In(1),
                "give": In(1),
                "reload": In(1),
                "done": In(1),
                "issue": Out(1),
                "issued": Out(IssuedBurst(spec)),
                "in_flight": Out(range(outstanding + 1)),
                "home": Out(1),
                "idle": Out(1, init=1),
            }
        )
        self._planner = BurstPlanner(spec, bytewise)
        self._credits = Signal(range(depth + BEHIND + 1), init=credits)
        self._all = self._credits[depth.bit_length() - 1 :].any()
        self._spent = Signal(signed(spec.beat_bits + 1))  # to be added: -1 - length, or 0

    def elaborate(self, platform):
        m = Module()
        m.submodules.planner = planner = self._planner
        wiring.connect(m, wiring.flipped(self.i), planner.i)
        m.d.comb += planner.flush.eq(self.flush)

        # The burst in hand, and whether it may go as the counts were in the cycle before.
        held, vacant = Signal(), Signal(init=1)  # the same twice: one of them has many loads
        keep = Signal()
        checked, paid, free = Signal(), Signal(), Signal()
        m.d.comb += [
            planner.o.ready.eq(vacant),
            self.issue.eq(checked & paid & free & ~self.o.valid),
        ]
        with m.If(~held):
            self._take(m, planner.o.payload)
        m.d.comb += keep.eq(Mux(vacant, planner.o.valid, ~self.issue) & ~self.flush)
        m.d.sync += [held.eq(keep), vacant.eq(~keep)]
        m.d.sync += [
            paid.eq(self._credits > self.issued.length),
            free.eq(self.in_flight != self._outstanding),
            checked.eq(held & ~(self.issue | self.hold | self.flush)),
        ]
        with m.If(~self.o.valid):
            m.d.sync += [
                self.o.valid.eq(self.issue),
                self.o.payload.address.eq(self.issued.address),
                self.o.payload.length.eq(self.issued.length),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        self._count(m)
        at_hand = (self.i.valid & self.i.ready) | planner.busy | held | self.o.valid
        m.d.sync += self.idle.eq(~at_hand & (self.in_flight == 0))
        return m

    def _take(self, m, burst):
        """Take a burst in hand, its beats counted.  ``end - first`` is right modulo the block."""
        lanes = self._spec.lane_bits if self._bytewise else 0
        first, end = burst.first[lanes:], burst.end[lanes:]
        started = burst.end[:lanes].any()  # a last beat that is not whole
        m.d.sync += [
            self.issued.address.eq(Cat(C(0, self._spec.lane_bits), first, burst.block)),
            self.issued.length.eq(end + ~first + started),
            self.issued.first_lane.eq(burst.first[:lanes]),
            self.issued.end_lane.eq(burst.end[:lanes]),
            self.issued.final.eq(burst.final),
        ]

    def _count(self, m):
        """Count credits and bursts in flight."""
        length = Cat(self.issued.length, C(0, 1)).as_signed()
        m.d.sync += [
            self._spent.eq(Mux(self.issue, ~length, 0)),
            self._credits.eq(self._credits + self._spent + self.give),
        ]
        with m.If(self.reload):
            m.d.sync += self._credits.eq(self._credits.init)
        m.d.sync += self.in_flight.eq(self.in_flight + self.issue - self.done)
        m.d.comb += self.home.eq(self._all & ~self._spent[-1])
