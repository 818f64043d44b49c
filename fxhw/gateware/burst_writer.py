"""Burst writer: commands and words in, bursts to external memory out."""

from amaranth.hdl import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..plan.bursts import BurstSpec
from .axi4 import Axi4WriteSignature, drive_constants
from .beat_queue import BeatQueue
from .burst_issuer import BurstIssuer, check_depths
from .drain_control import DrainControl
from .early_queue import EarlyQueue

__all__ = ["BurstWriter", "WriteCommand"]


def WriteCommand(spec: BurstSpec) -> data.StructLayout:
    """Payload of a write: byte address and bytes, neither of which need be whole beats."""
    most = spec.max_count * spec.bus_bytes
    return data.StructLayout({"address": spec.address_bits, "bytes": range(most + 1)})


class BurstWriter(wiring.Component):
    """Writes with several bursts outstanding, each issued when all its words are here.

    Words are whole beats: byte ``n`` of a word goes to the address whose low bits are ``n``, and
    those that a command does not cover are not written.  Words may come before their command.  As
    a burst waits for its words, a slow source never holds the bus up, and writers that share one
    cannot wait for one another.  Before the bus lies a short queue, so that WREADY does not reach
    to the block RAM.

    *Latency*: from a burst's last word to its address 3 to 5 cycles.  *Throughput*: a word per
    cycle within a burst of 5 beats or more, and a cycle between bursts.

    A command of no bytes is taken and writes nothing.  With ``cancel`` or a fault, commands and
    words in hand are thrown away; bursts already issued are completed without strobes, but for
    the few words that already wait before the bus.  Commands and words not yet taken stay with
    their sources.

    Parameters
    ----------
    spec : the bus and its bursts.
    depth : words the queue holds, a power of two, at least a burst; twice a burst for full speed.
    outstanding : most bursts without their response.
    target : family of the queue's memory cells.

    Members
    -------
    commands : stream of :func:`WriteCommand`.
    i : stream of words.
    cancel : pulse, throw away everything.
    clear : pulse, forget the fault and go on.
    fault : a burst was answered with an error; stays until ``clear``.
    idle : no command and no word in hand, every burst answered.
    bus : the write channels, without IDs.
    """

    def __init__(
        self, spec: BurstSpec, *, depth: int = 128, outstanding: int = 7, target: str = "generic"
    ):
        check_depths(spec, depth, outstanding)
        self._spec = spec
        self._queue = BeatQueue(spec.data_bits, depth, target=target)
        self._issuer = BurstIssuer(spec, True, depth, 0, outstanding)
        # The burst whose words are being sent, and the one behind it: words left less one, and
        # the strobes of its first and of its last word.
        sending = data.StructLayout(
            {"left": spec.beat_bits, "first": spec.bus_bytes, "last": spec.bus_bytes}
        )
        self._active, self._waiting = Signal(), Signal()
        self._current, self._next = Signal(sending), Signal(sending)
        super().__init__(
            {
                "commands": In(stream.Signature(WriteCommand(spec))),
                "i": In(stream.Signature(spec.data_bits)),
                "cancel": In(1),
                "clear": In(1),
                "fault": Out(1),
                "idle": Out(1),
                "bus": Out(Axi4WriteSignature(spec.address_bits, spec.data_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.issuer = issuer = self._issuer
        m.submodules.queue = queue = self._queue
        m.submodules.drain = drain = DrainControl()
        bus = self.bus

        drive_constants(m, bus, "aw")
        m.d.comb += [
            issuer.i.valid.eq(self.commands.valid),
            issuer.i.payload.address.eq(self.commands.payload.address),
            issuer.i.payload.count.eq(self.commands.payload.bytes),
            self.commands.ready.eq(issuer.i.ready),
            issuer.flush.eq(drain.draining),
            issuer.reload.eq(drain.draining),
            bus.awaddr.eq(issuer.o.payload.address),
            bus.awlen.eq(issuer.o.payload.length),
            bus.awvalid.eq(issuer.o.valid),
            issuer.o.ready.eq(bus.awready),
            bus.bready.eq(1),
            issuer.done.eq(bus.bvalid),
        ]

        m.d.comb += [
            queue.i.payload.eq(self.i.payload),
            queue.i.valid.eq(self.i.valid & ~drain.draining),
            self.i.ready.eq(queue.i.ready & ~drain.draining),
        ]
        m.d.sync += issuer.give.eq(self.i.valid & self.i.ready)
        self._send(m, issuer, queue, drain.draining)

        m.d.comb += [
            drain.cancel.eq(self.cancel),
            drain.clear.eq(self.clear),
            drain.error.eq(bus.bvalid & bus.bresp[1]),
            drain.home.eq(self.idle),
            self.fault.eq(drain.fault),
            self.idle.eq(issuer.idle & queue.empty),
        ]
        return m

    def _send(self, m, issuer, queue, draining):
        """Send the words of one burst after the other."""
        bus, current = self.bus, self._current
        load, last = Signal(), Signal()
        word = data.StructLayout(
            {"data": len(bus.wdata), "strb": len(bus.wstrb), "last": 1}
        )
        m.submodules.words = words = EarlyQueue(word)
        # No burst is issued any more; and words behind the last one's are dropped.
        dropping, drop = Signal(), Signal()
        m.d.sync += [dropping.eq(draining), drop.eq(dropping & ~(self._active | self._waiting))]
        m.d.comb += [
            issuer.hold.eq(self._waiting),
            load.eq(self._active & queue.o.valid & words.room),
            queue.o.ready.eq((self._active & words.room) | drop),
        ]
        strobes = current.first & (current.last | (~last).replicate(len(current.last)))
        m.d.comb += [
            words.i.valid.eq(load),
            words.i.payload.data.eq(queue.o.payload),
            words.i.payload.strb.eq(strobes & (~draining).replicate(len(strobes))),
            words.i.payload.last.eq(last),
            bus.wvalid.eq(words.o.valid),
            bus.wdata.eq(words.o.payload.data),
            bus.wstrb.eq(words.o.payload.strb),
            bus.wlast.eq(words.o.payload.last),
            words.o.ready.eq(bus.wready),
        ]
        with m.If(load):
            m.d.sync += [
                last.eq(current.left == 1),
                current.left.eq(current.left - 1),
                current.first.eq(~0),
                self._active.eq(~last),
            ]
        with m.If(~self._active):
            m.d.sync += [
                self._active.eq(self._waiting),
                self._waiting.eq(0),
                current.eq(self._next),
                last.eq(self._next.left == 0),
            ]
        with m.If(issuer.issue):
            m.d.sync += [self._waiting.eq(1), *self._prepare(issuer.issued)]

    def _prepare(self, issued):
        """Statements that make a burst just issued the next one."""
        lanes = range(self._spec.bus_bytes)
        whole = issued.end_lane == 0
        return [
            self._next.left.eq(issued.length),
            self._next.first.eq(Cat(lane >= issued.first_lane for lane in lanes)),
            self._next.last.eq(Cat(whole | (lane < issued.end_lane) for lane in lanes)),
        ]
