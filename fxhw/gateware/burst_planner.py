"""Burst planner: commands become bursts that never leave a naturally aligned block."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.bursts import BurstSpec

__all__ = ["BurstPlanner", "PlannedBurst", "Span"]


def Span(spec: BurstSpec, bytewise: bool) -> data.StructLayout:
    """Payload of a command: first byte address and count, or both in beats."""
    lane_bits = spec.lane_bits
    most = spec.max_count << (lane_bits if bytewise else 0)
    address_bits = spec.address_bits - (0 if bytewise else lane_bits)
    return data.StructLayout({"address": address_bits, "count": range(most + 1)})


def PlannedBurst(spec: BurstSpec, bytewise: bool) -> data.StructLayout:
    """Payload of a burst, in bytes or beats like its command: its block, the place of its first
    unit there and that behind its last one (0: the block's end), and whether it is its command's
    last burst."""
    offset_bits = spec.offset_bits if bytewise else spec.beat_bits
    return data.StructLayout(
        {
            "block": spec.address_bits - spec.offset_bits,
            "first": offset_bits,
            "end": offset_bits,
            "final": 1,
        }
    )


class BurstPlanner(wiring.Component):
    """Cuts commands into the bursts that :meth:`BurstSpec.compute` tells of.

    The end of a command is computed once, by one addition; after that a burst costs a decrement.
    A command with a count of 0 is taken and makes no burst.

    *Latency*: 2 cycles.  *Throughput*: a burst in 2 cycles, a command in 1 cycle more.

    Parameters
    ----------
    spec : the bus and its bursts.
    bytewise : addresses and counts are in bytes, not in beats.

    Members
    -------
    flush : forget the command in hand, take none.
    busy : a command is in hand.
    i : stream of commands.
    o : stream of bursts; withdrawn by ``flush``.
    """

    def __init__(self, spec: BurstSpec, bytewise: bool):
        super().__init__(
            {
                "flush": In(1),
                "busy": Out(1),
                "i": In(stream.Signature(Span(spec, bytewise))),
                "o": Out(stream.Signature(PlannedBurst(spec, bytewise))),
            }
        )
        burst, command = self.o.payload, self.i.payload
        # What is left of the command: whole blocks and units, counted from the burst's block on;
        # and whether its count is not 0.
        self._left = Signal(max(len(burst.first), len(command.count)) + 1)
        self._some = Signal()

    def elaborate(self, platform):
        m = Module()
        command, burst = self.i.payload, self.o.payload
        offset_bits = len(burst.first)
        blocks, tail = self._left[offset_bits:], self._left[:offset_bits]
        ready = Signal()  # a cycle after a change `final` is right

        m.d.comb += [
            self.i.ready.eq(~(self.busy | self.flush)),
            self.o.valid.eq(self.busy & ready & self._some),
            burst.end.eq(Mux(burst.final, tail, 0)),
        ]
        m.d.sync += [
            ready.eq(self.busy),
            burst.final.eq((blocks[1:] == 0) & (~blocks[0] | (tail == 0))),
        ]
        with m.If(~self.busy):
            m.d.sync += [
                self.busy.eq(self.i.valid),
                self._some.eq(command.count != 0),
                burst.block.eq(command.address[offset_bits:]),
                burst.first.eq(command.address[:offset_bits]),
                self._left.eq(command.address[:offset_bits] + command.count),
            ]
        with m.Elif(ready & (self.o.ready | ~self._some)):
            m.d.sync += [
                self.busy.eq(self._some & ~burst.final),
                ready.eq(0),
                burst.block.eq(burst.block + 1),
                burst.first.eq(0),
                blocks.eq(blocks - 1),
            ]
        with m.If(self.flush):
            m.d.sync += self.busy.eq(0)
        return m
