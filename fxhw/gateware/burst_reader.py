"""Burst reader: commands in, the beats of external memory out."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.bursts import BurstSpec
from .axi4 import Axi4ReadSignature, drive_constants
from .beat_queue import BeatQueue
from .burst_issuer import BurstIssuer, check_depths
from .drain_control import DrainControl
from .early_queue import EarlyQueue

__all__ = ["Beat", "BurstReader", "ReadCommand"]


def ReadCommand(spec: BurstSpec) -> data.StructLayout:
    """Payload of a read: byte address, of which the bits within a beat are ignored, and beats."""
    return data.StructLayout(
        {"address": spec.address_bits, "beats": range(spec.max_count + 1)}
    )


def Beat(spec: BurstSpec) -> data.StructLayout:
    """Payload of the data read: a beat, and whether it is its command's last one."""
    return data.StructLayout({"data": spec.data_bits, "last": 1})


class BurstReader(wiring.Component):
    """Reads with several bursts outstanding, none of which ever has to wait on the bus.

    A burst is issued only when the queue has room for all its beats (credits), so RREADY is
    always high and neither the memory nor another reader ever waits for this one's taker.  Behind
    the queue lies a short one, so that who takes a beat does not reach to the block RAM.

    *Latency*: from a command to its address 4 cycles, from a beat on the bus to the output 5.
    *Throughput*: a beat per cycle if ``depth`` covers the memory's latency, that is ``depth`` is
    at least the cycles from a burst's address to its first beat, and 13 and ``spec.block_beats``
    more, and ``outstanding`` bursts are that long too.  A command costs 3 cycles at least, so
    shorter ones come slower.

    A command of no beats is taken and gives nothing.  With ``cancel`` or a fault, commands and
    beats in hand and on the way are thrown away, and an output beat that waits is withdrawn.
    Commands not yet taken stay with their source.

    Parameters
    ----------
    spec : the bus and its bursts.
    depth : beats the queue holds, a power of two, at least a burst.
    outstanding : most bursts on the way.
    target : family of the queue's memory cells.

    Members
    -------
    commands : stream of :func:`ReadCommand`.
    o : stream of :func:`Beat`.
    cancel : pulse, throw away everything.
    clear : pulse, forget the fault and go on.
    fault : a beat came with an error; stays until ``clear``.
    idle : no command in hand, no beat on the way or waiting.
    bus : the read channels, without IDs: all bursts are answered in order.
    """

    def __init__(
        self, spec: BurstSpec, *, depth: int = 512, outstanding: int = 7, target: str = "generic"
    ):
        check_depths(spec, depth, outstanding)
        self._spec = spec
        self._queue = BeatQueue(Beat(spec), depth, always_ready=True, target=target)
        self._issuer = BurstIssuer(spec, False, depth, depth, outstanding)
        self._finals = Signal(outstanding)
        super().__init__(
            {
                "commands": In(stream.Signature(ReadCommand(spec))),
                "o": Out(stream.Signature(Beat(spec))),
                "cancel": In(1),
                "clear": In(1),
                "fault": Out(1),
                "idle": Out(1),
                "bus": Out(Axi4ReadSignature(spec.address_bits, spec.data_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.issuer = issuer = self._issuer
        m.submodules.queue = queue = self._queue
        m.submodules.words = words = EarlyQueue(Beat(self._spec))
        m.submodules.drain = drain = DrainControl()
        bus = self.bus

        drive_constants(m, bus, "ar")
        m.d.comb += [
            issuer.i.valid.eq(self.commands.valid),
            issuer.i.payload.address.eq(self.commands.payload.address[self._spec.lane_bits :]),
            issuer.i.payload.count.eq(self.commands.payload.beats),
            self.commands.ready.eq(issuer.i.ready),
            issuer.flush.eq(drain.draining),
            bus.araddr.eq(issuer.o.payload.address),
            bus.arlen.eq(issuer.o.payload.length),
            bus.arvalid.eq(issuer.o.valid),
            issuer.o.ready.eq(bus.arready),
        ]

        # Which bursts in flight end a command, the newest in bit 0.
        with m.If(issuer.issue):
            m.d.sync += self._finals.eq(Cat(issuer.issued.final, self._finals))
        final = Cat(C(0, 1), self._finals).bit_select(issuer.in_flight, 1)
        m.d.comb += [
            bus.rready.eq(1),
            queue.i.valid.eq(bus.rvalid),
            queue.i.payload.data.eq(bus.rdata),
            queue.i.payload.last.eq(bus.rlast & final),
            issuer.done.eq(bus.rvalid & bus.rlast),
        ]

        m.d.comb += [
            queue.o.ready.eq(words.room),
            self.o.valid.eq(words.o.valid & ~drain.draining),
            self.o.payload.eq(words.o.payload),
            words.o.ready.eq(self.o.ready | drain.draining),
            words.i.valid.eq(queue.o.valid & words.room),
            words.i.payload.eq(queue.o.payload),
        ]
        m.d.sync += issuer.give.eq(words.o.valid & words.o.ready)

        m.d.comb += [
            drain.cancel.eq(self.cancel),
            drain.clear.eq(self.clear),
            drain.error.eq(bus.rvalid & bus.rresp[1]),
            drain.home.eq(self.idle),
            self.fault.eq(drain.fault),
            self.idle.eq(issuer.idle & issuer.home),
        ]
        return m
