"""Wishbone master: the bursts of an AXI4 port as Wishbone bursts, one after another."""

from amaranth.hdl import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..plan.bursts import BOUNDARY, BurstSpec
from .axi4 import Axi4ReadSignature, Axi4WriteSignature, Response
from .stream import StreamFork
from .wishbone import LINEAR, CycleType, WishboneSignature

__all__ = ["WishboneMaster"]


class WishboneMaster(wiring.Component):
    """Reads and writes take turns, burst by burst, on one Wishbone bus.

    ::

        reads.ar, writes.aw -> turn -> adr, cti
        writes.w -> words -> dat_w, sel
        dat_r -> beats -> reads.r

    A burst is one bus cycle: CYC holds from its first beat to its last and then falls for at
    least one cycle, in which an arbiter may give the bus to another master.  Words and beats go
    through two registers each, so STB never depends on ready and holds until it is answered; where
    a word is late, or a beat is not taken, STB falls between two beats, as B4 allows.

    After an error the rest of a burst is not asked for: a read's beats come with SLVERR, a write's
    words are dropped, and its response is SLVERR.

    A write is answered when its last beat is, and nothing is asked for before that, so no read
    overtakes a write.  A burst needs its address within one block of 4 KiB, as AXI4 demands, and a
    writer must have, or soon get, the words it announces: the bus waits for them.

    *Latency*: 1 cycle from an address to STB, 1 from DAT_R to a beat, 1 from the last answer to a
    response.  *Throughput*: a beat per cycle, and a cycle between bursts.

    Parameters
    ----------
    spec : the bus and its bursts.
    id_bits : bits of an ID.

    Members
    -------
    reads, writes : AXI4 ports; bursts must be incrementing and of whole words.
    bus : the Wishbone bus; a word is a beat of ``spec``.
    """

    def __init__(self, spec: BurstSpec, id_bits: int):
        self._spec = spec
        address, width = spec.address_bits, spec.data_bits
        super().__init__(
            {
                "reads": In(Axi4ReadSignature(address, width, id_bits)),
                "writes": In(Axi4WriteSignature(address, width, id_bits)),
                "bus": Out(WishboneSignature(address - spec.lane_bits, width, bursts=True)),
            }
        )
        self._id = Signal.like(self.reads.arid)
        self._left = Signal(8)  # beats behind the one at hand
        self._last = Signal()
        self._dropping = Signal()  # the rest of a burst that failed
        self._step = Signal()  # a beat is done, on the bus or without it
        self._bad = Signal()

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        there = Signal()  # a word to write, or room for what is read
        m.d.comb += [
            there.eq(Mux(bus.we, self._take_words(m), self._give_beats(m))),
            bus.stb.eq(bus.cyc & there),
            bus.cti.eq(Mux(self._last, CycleType.END, CycleType.INCREMENTING)),
            bus.bte.eq(LINEAR),
            self._bad.eq(self._dropping | bus.err),
            self._step.eq(there & (self._dropping | (bus.cyc & (bus.ack | bus.err)))),
        ]
        with m.If(self._step):
            # A burst stays within its block, so no carry goes further.
            place = bus.adr[: (BOUNDARY - 1).bit_length() - self._spec.lane_bits]
            m.d.sync += [
                place.eq(place + 1),
                self._left.eq(self._left - 1),
                self._last.eq(self._left == 1),
                bus.cyc.eq(~(self._last | self._bad)),
                self._dropping.eq(~self._last & self._bad),
            ]
        with m.Elif(~(bus.cyc | self._dropping)):
            self._begin(m)
        self._answer(m)
        return m

    def _begin(self, m):
        """Start the burst whose turn it is: the other direction's, if both wait."""
        bus, reads, writes = self.bus, self.reads, self.writes
        writable, writing = Signal(), Signal()
        m.d.comb += [
            writable.eq(writes.awvalid & self._word_there & ~writes.bvalid),
            writing.eq(writable & ~(reads.arvalid & bus.we)),
            writes.awready.eq(writing),
            reads.arready.eq(~writing),
        ]
        lane_bits = self._spec.lane_bits
        with m.If(writing | reads.arvalid):
            length = Mux(writing, writes.awlen, reads.arlen)
            m.d.sync += [
                bus.cyc.eq(1),
                bus.we.eq(writing),
                bus.adr.eq(Mux(writing, writes.awaddr[lane_bits:], reads.araddr[lane_bits:])),
                self._id.eq(Mux(writing, writes.awid, reads.arid)),
                self._left.eq(length),
                self._last.eq(length == 0),
            ]

    def _take_words(self, m):
        """Words to write; whether there is one."""
        bus, writes = self.bus, self.writes
        word = data.StructLayout({"data": len(bus.dat_w), "strb": len(bus.sel)})
        m.submodules.words = words = StreamFork(word, 1)
        (branch,) = words.o
        m.d.comb += [
            words.enable.eq(1),
            words.i.valid.eq(writes.wvalid),
            words.i.payload.data.eq(writes.wdata),
            words.i.payload.strb.eq(writes.wstrb),
            writes.wready.eq(words.i.ready),
            bus.dat_w.eq(branch.payload.data),
            bus.sel.eq(Mux(bus.we, branch.payload.strb, ~0)),
            branch.ready.eq(self._step & bus.we),
        ]
        self._word_there = branch.valid
        return branch.valid

    def _give_beats(self, m):
        """Beats that were read; whether there is room for one."""
        bus, reads = self.bus, self.reads
        beat = data.StructLayout(
            {"id": len(reads.rid), "data": len(bus.dat_r), "resp": 2, "last": 1}
        )
        m.submodules.beats = beats = StreamFork(beat, 1)
        (branch,) = beats.o
        m.d.comb += [
            beats.enable.eq(1),
            beats.i.valid.eq(self._step & ~bus.we),
            beats.i.payload.id.eq(self._id),
            beats.i.payload.data.eq(bus.dat_r),
            beats.i.payload.resp.eq(Mux(self._bad, Response.SLVERR, Response.OKAY)),
            beats.i.payload.last.eq(self._last),
            reads.rvalid.eq(branch.valid),
            reads.rid.eq(branch.payload.id),
            reads.rdata.eq(branch.payload.data),
            reads.rresp.eq(branch.payload.resp),
            reads.rlast.eq(branch.payload.last),
            branch.ready.eq(reads.rready),
        ]
        return beats.i.ready

    def _answer(self, m):
        """The response to a write whose last word is done."""
        writes = self.writes
        with m.If(writes.bready):
            m.d.sync += writes.bvalid.eq(0)
        with m.If(self._step & self.bus.we & self._last):
            m.d.sync += [
                writes.bvalid.eq(1),
                writes.bid.eq(self._id),
                writes.bresp.eq(Mux(self._bad, Response.SLVERR, Response.OKAY)),
            ]
