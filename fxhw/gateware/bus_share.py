"""Bus shares: several readers, and several writers, on one AXI4 port."""

from amaranth.hdl import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..plan.bursts import BurstSpec
from .axi4 import Axi4ReadSignature, Axi4WriteSignature, drive_constants
from .burst_issuer import AddressRequest
from .early_queue import EarlyQueue
from .stream import StreamBuffer, StreamFork
from .stream_arbiter import StreamArbiter, check_weights

__all__ = ["ReadShare", "WriteShare"]


def _check(weights, id_bits):
    check_weights(weights)
    if len(weights) > 1 << id_bits:
        raise ValueError(
            f"{len(weights)} clients of a bus need an ID each, but there are {1 << id_bits}"
        )


def _arbitrate(m, arbiter, clients, prefix):
    """Let the clients' address channels take turns."""
    for client, port in zip(clients, arbiter.i):
        m.d.comb += [
            port.valid.eq(getattr(client, f"{prefix}valid")),
            port.payload.address.eq(getattr(client, f"{prefix}addr")),
            port.payload.length.eq(getattr(client, f"{prefix}len")),
            getattr(client, f"{prefix}ready").eq(port.ready),
        ]


def _address(m, bus, prefix, turn):
    """The bus's address is that of the turn at hand; the ID tells whose turn it is."""
    drive_constants(m, bus, prefix)
    m.d.comb += [
        getattr(bus, f"{prefix}addr").eq(turn.payload.word.address),
        getattr(bus, f"{prefix}len").eq(turn.payload.word.length),
        getattr(bus, f"{prefix}id").eq(turn.payload.source),
    ]


class ReadShare(wiring.Component):
    """Readers take turns on the address channel; every beat goes to the one whose ID it has.

    The memory may answer different readers in any order and interleave their beats.

    *Latency*: 2 cycles for an address, 1 for a beat.  *Throughput*: an address in 3 cycles, a
    beat per cycle.

    Parameters
    ----------
    spec : the bus and its bursts.
    weights : of each reader, the bursts it may issue in a row while others wait.
    id_bits : bits of an ID.

    Members
    -------
    clients : the readers' ports.
    bus : the shared port; reader ``n`` has ID ``n``.
    """

    def __init__(self, spec: BurstSpec, weights: tuple[int, ...], id_bits: int = 4):
        _check(weights, id_bits)
        self._spec = spec
        self._weights = tuple(weights)
        address, width = spec.address_bits, spec.data_bits
        super().__init__(
            {
                "clients": In(Axi4ReadSignature(address, width)).array(len(weights)),
                "bus": Out(Axi4ReadSignature(address, width, id_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bus, clients = self.bus, self.clients
        m.submodules.arbiter = arbiter = StreamArbiter(AddressRequest(self._spec), self._weights)
        _arbitrate(m, arbiter, clients, "ar")
        _address(m, bus, "ar", arbiter.o)
        m.d.comb += [bus.arvalid.eq(arbiter.o.valid), arbiter.o.ready.eq(bus.arready)]

        beat = data.StructLayout(
            {"id": len(bus.rid), "data": len(bus.rdata), "resp": 2, "last": 1}
        )
        m.submodules.beats = beats = StreamBuffer(beat)
        m.d.comb += [
            beats.i.valid.eq(bus.rvalid),
            beats.i.payload.id.eq(bus.rid),
            beats.i.payload.data.eq(bus.rdata),
            beats.i.payload.resp.eq(bus.rresp),
            beats.i.payload.last.eq(bus.rlast),
            bus.rready.eq(beats.i.ready),
        ]
        for n, client in enumerate(clients):
            here = beats.o.payload.id == n
            m.d.comb += [
                client.rvalid.eq(beats.o.valid & here),
                client.rdata.eq(beats.o.payload.data),
                client.rresp.eq(beats.o.payload.resp),
                client.rlast.eq(beats.o.payload.last),
            ]
            with m.If(here):
                m.d.comb += beats.o.ready.eq(client.rready)
        return m


class WriteShare(wiring.Component):
    """Writers take turns on the address channel and send their words in the order of the turns.

    AXI4 has no ID on words: those of one burst follow those of the burst whose address went
    before.  So a writer that waits in mid-burst makes the others wait; a :class:`BurstWriter`
    never does.  The memory may answer different writers in any order.

    Whether a word passes, and whether a turn ends with it, is decided from registers alone.

    *Latency*: 3 cycles for an address, 2 for a word, 1 for a response.  *Throughput*: an address in
    3 cycles, a word per cycle, for bursts of 3 beats and more.

    Parameters
    ----------
    spec : the bus and its bursts.
    weights : of each writer, the bursts it may issue in a row while others wait.
    id_bits : bits of an ID.

    Members
    -------
    clients : the writers' ports.
    bus : the shared port; writer ``n`` has ID ``n``.
    """

    def __init__(self, spec: BurstSpec, weights: tuple[int, ...], id_bits: int = 4):
        _check(weights, id_bits)
        self._spec = spec
        self._weights = tuple(weights)
        address, width = spec.address_bits, spec.data_bits
        super().__init__(
            {
                "clients": In(Axi4WriteSignature(address, width)).array(len(weights)),
                "bus": Out(Axi4WriteSignature(address, width, id_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bus, clients = self.bus, self.clients
        m.submodules.arbiter = arbiter = StreamArbiter(AddressRequest(self._spec), self._weights)
        _arbitrate(m, arbiter, clients, "aw")

        # A turn goes two ways, each as soon as it can: its address to the bus, which may want
        # words before it takes an address, and its source to the queue of turns.
        m.submodules.fork = fork = StreamFork(arbiter.o.payload.shape(), 2)
        wiring.connect(m, arbiter.o, fork.i)
        _address(m, bus, "aw", fork.o[0])
        m.d.comb += [
            fork.enable.eq(0b11),
            bus.awvalid.eq(fork.o[0].valid),
            fork.o[0].ready.eq(bus.awready),
        ]
        self._send_words(m, fork.o[1])
        self._answer(m)
        return m

    def _send_words(self, m, turns):
        """Send the words of the writer whose turn it is, up to its burst's last one."""
        bus = self.bus
        word = data.StructLayout(
            {"data": len(bus.wdata), "strb": len(bus.wstrb), "last": 1}
        )
        m.submodules.words = words = EarlyQueue(word)
        # The turn at hand and the one behind it: one bit per writer; none while it is nobody's.
        count = len(self.clients)
        turn, following = Signal(count), Signal(count)
        source, source_then = Signal(range(count)), Signal(range(count))
        free, free_then = Signal(init=1), Signal(init=1)  # nobody's turn
        ends = Signal()
        # The queue of turns holds one; it is filled a cycle after it was emptied.
        m.d.comb += [
            turns.ready.eq(free_then),
            ends.eq(
                words.room
                & Cat(t & c.wvalid & c.wlast for t, c in zip(turn, self.clients)).any()
            ),
        ]
        with m.If(free_then):
            m.d.sync += [
                following.eq(Mux(turns.valid, 1 << turns.payload.source, 0)),
                source_then.eq(turns.payload.source),
                free_then.eq(~turns.valid),
            ]
        with m.If(free | ends):
            m.d.sync += [turn.eq(following), source.eq(source_then), free.eq(free_then)]
            with m.If(~free_then):
                m.d.sync += [following.eq(0), free_then.eq(1)]
        m.d.comb += words.i.valid.eq(
            words.room & Cat(t & c.wvalid for t, c in zip(turn, self.clients)).any()
        )
        for n, client in enumerate(self.clients):
            m.d.comb += client.wready.eq(words.room & turn[n])
            with m.If(source == n):
                m.d.comb += [
                    words.i.payload.data.eq(client.wdata),
                    words.i.payload.strb.eq(client.wstrb),
                    words.i.payload.last.eq(client.wlast),
                ]
        m.d.comb += [
            bus.wvalid.eq(words.o.valid),
            bus.wdata.eq(words.o.payload.data),
            bus.wstrb.eq(words.o.payload.strb),
            bus.wlast.eq(words.o.payload.last),
            words.o.ready.eq(bus.wready),
        ]

    def _answer(self, m):
        """Hand every response to the writer whose ID it has."""
        bus = self.bus
        response = data.StructLayout({"id": len(bus.bid), "resp": 2})
        m.submodules.responses = responses = StreamBuffer(response)
        m.d.comb += [
            responses.i.valid.eq(bus.bvalid),
            responses.i.payload.id.eq(bus.bid),
            responses.i.payload.resp.eq(bus.bresp),
            bus.bready.eq(responses.i.ready),
        ]
        for n, client in enumerate(self.clients):
            here = responses.o.payload.id == n
            m.d.comb += [
                client.bvalid.eq(responses.o.valid & here),
                client.bresp.eq(responses.o.payload.resp),
            ]
            with m.If(here):
                m.d.comb += responses.o.ready.eq(client.bready)
