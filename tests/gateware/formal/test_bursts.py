# amaranth: UnusedElaboratable=no

"""Bursts keep AXI4's rules for ever: lawful, within 4 KiB, never more than there is room for.

The planner and the issuer are proved by induction, for every command of a real bus; the reader,
the writer and the shares, which are made of them and of queues, in all that a few short bursts
can do in some twenty cycles.
"""

import pytest
from amaranth.asserts import AnySeq
from amaranth.hdl import (
    Assert,
    Assume,
    Cat,
    Const,
    Cover,
    Elaboratable,
    Module,
    Mux,
    Signal,
    Value,
)

from fxhw.gateware.beat_queue import BeatQueue
from fxhw.gateware.burst_issuer import BurstIssuer
from fxhw.gateware.burst_planner import BurstPlanner
from fxhw.gateware.burst_reader import BurstReader
from fxhw.gateware.burst_writer import BurstWriter
from fxhw.gateware.bus_share import ReadShare, WriteShare
from fxhw.gateware.drain_control import DrainControl
from fxhw.gateware.stream_arbiter import StreamArbiter
from fxhw.plan.bursts import BOUNDARY, BurstSpec

from ..mutants import mutant
from .prover import prove, prove_stream_contract, prove_stream_function

pytestmark = pytest.mark.formal

REAL = BurstSpec(8, 64)


def holds(m, valid, ready, payload, *, but=0):
    """Whether what was valid and not taken is still there; ``but`` where it may be withdrawn."""
    payload = Value.cast(payload)
    waited, before = Signal(), Signal(len(payload))
    m.d.sync += [waited.eq(valid & ~ready & ~but), before.eq(payload)]
    return ~waited | (valid & (payload == before))


def drive(m, *signals):
    """Let the solver choose."""
    for signal in signals:
        signal = Value.cast(signal)
        m.d.comb += signal.eq(AnySeq(len(signal)))


def lawful_source(m, port):
    """A stream that holds what waits."""
    drive(m, port.valid, port.payload)
    m.d.comb += Assume(holds(m, port.valid, port.ready, port.payload))


def planned(m, planner):
    """The planner's invariant: while there is a burst, it has at least one unit."""
    burst = planner.o.payload
    m.d.comb += Assert(~(planner.busy & planner._some) | (planner._left > burst.first))


class PlannerSpec(Elaboratable):
    """The bursts of every command follow one another, fill their blocks and cover it exactly."""

    def __init__(self, dut):
        self.dut = dut

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        burst = dut.o.payload
        lawful_source(m, dut.i)
        drive(m, dut.o.ready, dut.flush)
        m.d.comb += Assert(holds(m, dut.o.valid, dut.o.ready, burst, but=dut.flush))

        command = Signal(dut.i.payload.shape())
        covered = Signal.like(command.count)
        with m.If(dut.i.valid & dut.i.ready):
            m.d.sync += [command.eq(dut.i.payload), covered.eq(0)]

        block = 1 << len(burst.first)
        units = Mux(burst.end == 0, block, burst.end) - burst.first
        left = command.count - covered
        with m.If(dut.o.valid):
            m.d.comb += [
                Assert(units > 0),
                Assert(Cat(burst.first, burst.block)
                       == (command.address + covered)[: len(command.address)]),
                Assert(units <= left),
                Assert(burst.final == (units == left)),
                Assert(burst.final | (burst.end == 0)),  # a block is left only at its end
            ]
            with m.If(dut.o.ready):
                m.d.sync += covered.eq(covered + units)
        planned(m, dut)
        with m.If(dut.busy):
            m.d.comb += [
                Assert(dut._some == (command.count != 0)),
                Assert(covered <= command.count),
                Assert(dut._left == burst.first + left),
                Assert(Cat(burst.first, burst.block)
                       == (command.address + covered)[: len(command.address)]),
            ]
        return m


class IssuerSpec(Elaboratable):
    """Addresses are lawful and hold; credits and bursts in flight are what they should be.

    Credits come back for beats issued; bursts are done that are in flight.
    """

    def __init__(self, dut, spec, depth, outstanding):
        self.dut, self.spec, self.depth, self.outstanding = dut, spec, depth, outstanding

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        lawful_source(m, dut.i)
        drive(m, dut.o.ready, dut.flush, dut.give, dut.done, dut.hold)
        request = dut.o.payload
        m.d.comb += Assert(holds(m, dut.o.valid, dut.o.ready, request))

        issued, waited, held_off = Signal(), Signal(), Signal()
        before = Signal(dut.issued.shape())
        m.d.sync += [
            issued.eq(dut.issue),
            waited.eq(dut.o.valid & ~dut.o.ready),
            before.eq(dut.issued),
            held_off.eq(dut.hold),
        ]
        # Every burst issued is offered once.
        m.d.comb += [
            Assert(~(issued & waited)),
            Assert(dut.o.valid == (issued | waited)),
            Assert(~issued | ((request.address == before.address)
                              & (request.length == before.length))),
        ]
        m.d.comb += Assume(~dut.hold | held_off | issued)
        m.d.comb += Assert(~(dut.issue & dut.hold))

        promised = Signal(range(self.depth + 1))
        flying = Signal(range(self.outstanding + 1))
        beats = Mux(dut.issue, dut.issued.length + 1, 0)
        m.d.sync += [
            promised.eq(promised + beats - dut.give),
            flying.eq(flying + dut.issue - dut.done),
        ]
        m.d.comb += [
            Assume(~dut.give | (promised != 0)),
            Assume(~dut.done | (flying != 0)),
            Assert(promised + dut._credits + dut._spent == self.depth),
            Assert(promised + beats <= self.depth),
            Assert(dut.home == (promised == 0)),
            Assert(flying == dut.in_flight),
            Assert(flying + dut.issue <= self.outstanding),
        ]
        planned(m, dut._planner)
        with m.If(dut.o.valid):
            self._lawful(m, request.address, request.length)
        with m.If(~dut._planner.o.ready):
            self._lawful(m, dut.issued.address, dut.issued.length)
        with m.If(dut.issue):
            self._lawful(m, dut.issued.address, dut.issued.length)
        return m

    def _lawful(self, m, address, length):
        """A burst is whole beats of one block, and so of one 4-KiB page."""
        size = self.spec.bus_bytes
        for bytes in BOUNDARY, self.spec.block_bytes:
            start = address[: bytes.bit_length() - 1]
            m.d.comb += Assert(start + (length + 1) * size <= bytes)
        m.d.comb += [
            Assert(address[: self.spec.lane_bits] == 0),
            Assert(length < self.spec.block_beats),
        ]


PLANNERS = [
    (REAL, False), (REAL, True), (BurstSpec(32, 256, address_bits=40), True),
    (BurstSpec(16, 1), False), (BurstSpec(1, 2, max_count=5, address_bits=3), True),
]


@pytest.mark.parametrize(("spec", "bytewise"), PLANNERS)
def test_planner(spec, bytewise):
    prove(PlannerSpec(BurstPlanner(spec, bytewise)), 3, "induction")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(~blocks[0] | (tail == 0))", "~blocks[0]"),
        ("Mux(burst.final, tail, 0)", "tail"),
        ("burst.first.eq(0),", ""),
        ("command.address[:offset_bits] + command.count)", "command.count)"),
        ("self.busy & ready & self._some", "self.busy & ready"),
        ("ready.eq(0),", ""),
        ("self._some.eq(command.count != 0),", "self._some.eq(1),"),
    ],
    ids=["end at a block's end", "end of every block", "first stays", "offset forgotten",
         "empty command", "stale final", "count of zero"],
)
def test_planner_refutes(old, new):
    spec = BurstSpec(1, 4, max_count=15, address_bits=5)
    with pytest.raises(AssertionError, match="refuted"):
        prove(PlannerSpec(mutant(BurstPlanner, old, new)(spec, True)), 12)


def issuer_spec(block, spec, bytewise, depth, outstanding):
    return IssuerSpec(block(spec, bytewise, depth, depth, outstanding), spec, depth, outstanding)


@pytest.mark.parametrize(("spec", "bytewise"), PLANNERS)
def test_issuer(spec, bytewise):
    depth = max(4, 2 * spec.block_beats)
    prove(issuer_spec(BurstIssuer, spec, bytewise, depth, 7), 5, "induction")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self._credits > self.issued.length", "self._credits >= self.issued.length"),
        ("free.eq(self.in_flight != self._outstanding)", "free.eq(1)"),
        ("& ~self.o.valid),", "),"),
        ("held & ~(self.issue | self.hold | self.flush)", "held & ~(self.issue | self.flush)"),
        ("held & ~(self.issue | self.hold | self.flush)", "held"),
        ("with m.If(~held):", "with m.If(1):"),
        ("end + ~first + started", "end + ~first + 1"),
        ("m.d.sync += self.o.valid.eq(0)", "pass"),
    ],
    ids=["a credit too few", "too many in flight", "address lost", "hold ignored",
         "compared too early", "burst changes in hand", "a beat too many", "address repeated"],
)
def test_issuer_refutes(old, new):
    spec = BurstSpec(2, 4, max_count=15, address_bits=6)
    block = mutant(BurstIssuer, old, new)
    with pytest.raises(AssertionError, match="refuted"):
        prove(issuer_spec(block, spec, True, 4, 2), 16)


class SecondAddress(Elaboratable):
    """Two addresses leave although no data come."""

    def __init__(self, dut):
        self.dut = dut

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        lawful_source(m, dut.i)
        drive(m, dut.o.ready, dut.done, dut.give)
        taken = Signal(2)
        m.d.sync += taken.eq(taken + (dut.o.valid & dut.o.ready))
        m.d.comb += [Assume(~dut.done & ~dut.give), Cover(taken == 2)]
        return m


def test_issuer_goes_on():
    spec = BurstSpec(2, 4, max_count=15, address_bits=6)
    prove(SecondAddress(BurstIssuer(spec, True, 4, 4, 2)), 20, "cover")


class Book:
    """Entries in order, oldest first, each of some beats: bursts and commands under way.

    Parameters
    ----------
    depth : most entries.
    push, entry : adds an entry.
    forget : removes all.

    Attributes
    ----------
    entries, count : the entries and how many there are.
    beat : beats of the oldest one so far.
    step, last : to be driven; counts a beat of the oldest one, and removes it.
    room : an entry may be pushed.
    """

    def __init__(self, m, depth, push, entry, forget=0):
        entry = Value.cast(entry)
        self.entries = [Signal(len(entry)) for _ in range(depth)]
        self.count = Signal(range(depth + 1))
        self.beat = Signal(8)
        self.step, self.last = Signal(), Signal()
        pop = self.step & self.last
        after = self.count - pop
        self.room = Signal()
        m.d.comb += self.room.eq(after < depth)
        m.d.sync += [
            self.count.eq(after + push),
            self.beat.eq(Mux(pop, 0, self.beat + self.step)),
        ]
        for k, this in enumerate(self.entries):
            older = self.entries[k + 1] if k + 1 < depth else this
            m.d.sync += this.eq(Mux(push & (after == k), entry, Mux(pop, older, this)))
        with m.If(forget):
            m.d.sync += [self.count.eq(0), self.beat.eq(0)]


def address_length(bus, prefix):
    """Address and length of an address channel, as one value to be taken apart again."""
    address, length = getattr(bus, f"{prefix}addr"), getattr(bus, f"{prefix}len")
    return Cat(address, length), len(address)


class ReadMemory:
    """A memory that answers each ID's bursts in order, the IDs in any order, at any pace.

    A beat is the lower bits of its number in the memory, and may be in error.

    Parameters
    ----------
    clients : number of IDs; a port without IDs has one.
    depth : most bursts of an ID at a time.

    Attributes
    ----------
    waiting : bursts not answered.
    """

    def __init__(self, m, bus, spec, clients, depth):
        many = "rid" in bus.signature.members
        drive(m, bus.arready, bus.rvalid, bus.rresp, *([bus.rid] if many else []))
        request, split = address_length(bus, "ar")
        asker, answerer = (bus.arid, bus.rid) if many else (Const(0), Const(0))
        m.d.comb += [
            Assert(holds(m, bus.arvalid, bus.arready, Cat(request, asker))),
            Assume(holds(m, bus.rvalid, bus.rready, Cat(bus.rresp, answerer))),
            Assert(~bus.arvalid | (asker < clients)),
            Assume(answerer < clients),
        ]
        books = []
        for n in range(clients):
            push = bus.arvalid & bus.arready & (asker == n)
            book = Book(m, depth, push, request)
            address, length = book.entries[0][:split], book.entries[0][split:]
            here = bus.rvalid & (answerer == n)
            m.d.comb += [book.step.eq(here & bus.rready), book.last.eq(bus.rlast)]
            m.d.comb += Assert(~push | book.room)
            with m.If(here):
                m.d.comb += [
                    Assume(book.count != 0),
                    bus.rdata.eq((address >> spec.lane_bits) + book.beat),
                    bus.rlast.eq(book.beat == length),
                ]
            books.append(book)
        self.waiting = sum(book.count for book in books)


class WriteMemory:
    """A memory that takes addresses and words at any pace and answers what is complete, each
    writer's bursts in order, the writers in any order.

    It asserts that every word belongs to a burst that was offered, and WLAST is on its last one.

    Parameters
    ----------
    clients, depth : see :class:`ReadMemory`; ``depth`` is that of all together.

    Attributes
    ----------
    book : the bursts whose words are not complete; entries are address, length and ID.
    waiting : bursts not answered.
    """

    def __init__(self, m, bus, clients, depth):
        many = "bid" in bus.signature.members
        drive(m, bus.awready, bus.wready, bus.bvalid, bus.bresp, *([bus.bid] if many else []))
        request, self.split = address_length(bus, "aw")
        asker, answerer = (bus.awid, bus.bid) if many else (Const(0), Const(0))
        entry = Cat(request, asker)
        word = Cat(bus.wdata, bus.wstrb, bus.wlast)
        m.d.comb += [
            Assert(holds(m, bus.awvalid, bus.awready, entry)),
            Assert(holds(m, bus.wvalid, bus.wready, word)),
            Assume(holds(m, bus.bvalid, bus.bready, Cat(bus.bresp, answerer))),
            Assert(~bus.awvalid | (asker < clients)),
            Assume(answerer < clients),
        ]
        waited = Signal()
        m.d.sync += waited.eq(bus.awvalid & ~bus.awready)
        push = bus.awvalid & ~waited  # the cycle in which it is first offered
        self.book = book = Book(m, depth, push, entry)
        self.length = book.entries[0][self.split : len(request)]
        self.sender = book.entries[0][len(request) :]
        m.d.comb += [
            book.step.eq(bus.wvalid & bus.wready),
            book.last.eq(bus.wlast),
            Assert(~push | book.room),
            Assert(~bus.wvalid | (book.count != 0)),
            Assert(~bus.wvalid | (bus.wlast == (book.beat == self.length))),
        ]
        self.waiting = 0
        for n in range(clients):
            addressed, written, answered = Signal(4), Signal(4), Signal(4)
            here = bus.bvalid & (answerer == n)
            sender = self.sender if many else Const(0)
            m.d.sync += [
                addressed.eq(addressed + (bus.awvalid & bus.awready & (asker == n))),
                written.eq(written + (book.step & bus.wlast & (sender == n))),
                answered.eq(answered + (here & bus.bready)),
            ]
            m.d.comb += Assume(~here | ((addressed != answered) & (written != answered)))
            self.waiting += addressed - answered


def void(m, dut, error):
    """Whether all that was taken is to be thrown away: from a cancellation or a fault to the end.

    Asserts that errors become faults, and that faults last until they are cleared.
    """
    result, failed, kept = Signal(), Signal(), Signal()
    m.d.sync += [failed.eq(error & ~(result | dut.cancel)), kept.eq(dut.fault & ~dut.clear)]
    m.d.comb += Assert(~(failed | kept) | dut.fault)
    with m.If(dut.idle & ~dut.fault):
        m.d.sync += result.eq(0)
    with m.If(dut.cancel | (error & ~result)):
        m.d.sync += result.eq(1)
    return result


class ReaderSpec(Elaboratable):
    """All beats of two commands, in order, none lost in the queue; a cancellation or an error
    loses all of what was begun and nothing of what comes after."""

    SPEC = BurstSpec(1, 2, max_count=3, address_bits=4)

    def __init__(self, dut, *, calm):
        self.dut, self.calm = dut, calm

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        memory = ReadMemory(m, dut.bus, self.SPEC, 1, 2)
        lawful_source(m, dut.commands)
        drive(m, dut.o.ready, dut.cancel, dut.clear)
        m.d.comb += Assert(dut.bus.rready)
        error = dut.bus.rvalid & dut.bus.rresp[1]
        if self.calm:
            m.d.comb += Assume(~(dut.cancel | error))
        kept = holds(m, dut.o.valid, dut.o.ready, dut.o.payload, but=dut.cancel)
        m.d.comb += Assert(kept | dut.fault)
        over = void(m, dut, error)
        m.d.comb += Assert(~(over & ~dut.idle & dut.commands.ready))

        # The commands whose beats are given.
        address_bits = len(dut.commands.payload.address)
        push = dut.commands.valid & dut.commands.ready & (dut.commands.payload.beats != 0)
        lost = Signal()
        m.d.sync += lost.eq(dut.fault)
        forget = dut.cancel | (dut.fault & ~lost)
        book = Book(m, 2, push, dut.commands.payload, forget)
        address, beats = book.entries[0][:address_bits], book.entries[0][address_bits:]
        m.d.comb += [
            Assume(~push | book.room),
            book.step.eq(dut.o.valid & dut.o.ready),
            book.last.eq(dut.o.payload.last),
        ]
        with m.If(dut.o.valid):
            m.d.comb += [
                Assert(book.count != 0),
                Assert(dut.o.payload.data == (address + book.beat)[:address_bits]),
                Assert(dut.o.payload.last == (book.beat == beats - 1)),
            ]
        with m.If(dut.idle):
            m.d.comb += [
                Assert(memory.waiting == 0),
                Assert(~(dut.bus.arvalid | dut.o.valid)),
                Assert((book.count == 0) | forget),
            ]
        return m


class WriterSpec(Elaboratable):
    """Every word of two commands goes where it belongs, with the strobes of its command.

    Words are numbered.  With cancellations and errors, only the rules of the bus are asserted, and
    that nothing is taken before all is over; a burst's words follow its address in any case.
    """

    SPEC = BurstSpec(2, 2, max_count=3, address_bits=4)

    def __init__(self, dut, *, calm):
        self.dut, self.calm = dut, calm

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        bus = dut.bus
        memory = WriteMemory(m, bus, 1, 4)
        lawful_source(m, dut.commands)
        lawful_source(m, dut.i)
        drive(m, dut.cancel, dut.clear)
        m.d.comb += Assert(bus.bready)

        word = Signal(4)
        m.d.sync += word.eq(word + (dut.i.valid & dut.i.ready))
        m.d.comb += Assume(~dut.i.valid | (dut.i.payload == word))

        with m.If(dut.idle):
            m.d.comb += [
                Assert(memory.waiting == 0),
                Assert(memory.book.count == 0),
                Assert(~(bus.awvalid | bus.wvalid)),
            ]
        # Words of an issued burst are there.
        stuck = Signal(3)
        m.d.sync += stuck.eq(Mux((memory.book.count != 0) & ~bus.wvalid, stuck + 1, 0))
        m.d.comb += Assert(stuck < 4)
        m.d.comb += Assert(~(dut._issuer.issue & dut._waiting))
        error = bus.bvalid & bus.bresp[1]
        over = void(m, dut, error)
        m.d.comb += Assert(~(over & ~dut.idle & (dut.commands.ready | dut.i.ready)))
        if not self.calm:
            return m

        m.d.comb += Assume(~(dut.cancel | error))
        payload = dut.commands.payload
        push = dut.commands.valid & dut.commands.ready & (payload.bytes != 0)
        book = Book(m, 2, push, payload)
        address_bits = len(payload.address)
        address, bytes = book.entries[0][:address_bits], book.entries[0][address_bits:]
        m.d.comb += Assume(~push | (book.room & (payload.address + payload.bytes <= 16)))
        m.d.comb += Assume(~push | (payload.address[:1] + payload.bytes <= 6))
        sent = Signal(4)
        end = address + bytes
        beat = (address >> 1) + book.beat
        m.d.comb += [
            book.step.eq(bus.wvalid & bus.wready),
            book.last.eq(2 * (beat + 1) >= end),
        ]
        m.d.sync += sent.eq(sent + book.step)
        with m.If(bus.wvalid):
            m.d.comb += [Assert(book.count != 0), Assert(bus.wdata == sent)]
            for lane in range(2):
                place = 2 * beat + lane
                m.d.comb += Assert(bus.wstrb[lane] == ((place >= address) & (place < end)))
        base = memory.book.entries[0][: memory.split]
        m.d.comb += Assert(~bus.wvalid | ((base >> 1) + memory.book.beat == beat[:3]))
        return m


class ReadShareSpec(Elaboratable):
    """Every reader gets the beats of its own bursts, in order."""

    SPEC = BurstSpec(1, 2, max_count=3, address_bits=4)

    def __init__(self, dut):
        self.dut = dut

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        ReadMemory(m, dut.bus, self.SPEC, len(dut.clients), 4)
        for client in dut.clients:
            request, split = address_length(client, "ar")
            drive(m, client.araddr, client.arlen, client.arvalid, client.rready)
            push = client.arvalid & client.arready
            book = Book(m, 2, push, request)
            address, length = book.entries[0][:split], book.entries[0][split:]
            m.d.comb += [
                Assume(holds(m, client.arvalid, client.arready, request)),
                Assume(client.arlen < 2),
                Assume(~push | book.room),
                book.step.eq(client.rvalid & client.rready),
                book.last.eq(client.rlast),
                Assert(holds(m, client.rvalid, client.rready, Cat(client.rdata, client.rlast))),
            ]
            with m.If(client.rvalid):
                m.d.comb += [
                    Assert(book.count != 0),
                    Assert(client.rdata == address + book.beat),
                    Assert(client.rlast == (book.beat == length)),
                ]
        return m


class WriteShareSpec(Elaboratable):
    """Every burst gets its writer's words, and every writer its responses.

    A word tells its writer in its lowest bits.
    """

    def __init__(self, dut):
        self.dut = dut

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        memory = WriteMemory(m, dut.bus, len(dut.clients), 8)
        with m.If(dut.bus.wvalid):
            m.d.comb += Assert(dut.bus.wdata[:2] == memory.sender)
        for n, client in enumerate(dut.clients):
            request, split = address_length(client, "aw")
            word = Cat(client.wdata, client.wstrb, client.wlast)
            drive(m, client.awaddr, client.awlen, client.awvalid)
            drive(m, client.wdata, client.wstrb, client.wlast, client.wvalid, client.bready)
            waited, answered, done = Signal(), Signal(4), Signal(4)
            m.d.sync += waited.eq(client.awvalid & ~client.awready)
            push = client.awvalid & ~waited
            book = Book(m, 2, push, request)
            m.d.comb += [
                Assume(holds(m, client.awvalid, client.awready, request)),
                Assume(holds(m, client.wvalid, client.wready, word)),
                Assume(client.awlen < 2),
                Assume(~push | book.room),
                book.step.eq(client.wvalid & client.wready),
                book.last.eq(client.wlast),
                Assert(holds(m, client.bvalid, client.bready, client.bresp)),
                Assert(~client.bvalid | (done != answered)),
            ]
            m.d.sync += [
                done.eq(done + (book.step & client.wlast)),
                answered.eq(answered + (client.bvalid & client.bready)),
            ]
            with m.If(client.wvalid):
                m.d.comb += [
                    Assume(book.count != 0),
                    Assume(client.wlast == (book.beat == book.entries[0][split:])),
                    Assume(client.wdata[:2] == n),
                ]
        return m


def prove_reader(block=BurstReader, calm=False, depth=16):
    prove(ReaderSpec(block(ReaderSpec.SPEC, depth=2, outstanding=2), calm=calm), depth)


def prove_writer(block=BurstWriter, calm=False, depth=16, spec=WriterSpec.SPEC):
    prove(WriterSpec(block(spec, depth=2, outstanding=4), calm=calm), depth)


def prove_read_share(block=ReadShare):
    prove(ReadShareSpec(block(ReadShareSpec.SPEC, (1, 2), 2)), 9)


def prove_write_share(block=WriteShare):
    prove(WriteShareSpec(block(WriterSpec.SPEC, (1, 2), 2)), 12)


def test_reader():
    prove_reader()


@pytest.mark.parametrize("calm", [False, True])
def test_writer(calm):
    prove_writer(calm=calm, depth=14 if calm else 16)


def test_shares():
    prove_read_share()
    prove_write_share()


@pytest.mark.parametrize(
    ("block", "old", "new"),
    [
        (BurstReader, "issuer.give.eq(words.o.valid & words.o.ready)", "issuer.give.eq(1)"),
        (BurstReader, "bus.rlast & final", "bus.rlast"),
        (BurstReader, "words.o.valid & ~drain.draining", "words.o.valid"),
        (BurstReader, "issuer.flush.eq(drain.draining),", ""),
        (BurstReader, "issuer.idle & issuer.home", "issuer.idle"),
        (BurstReader, "bus.rvalid & bus.rresp[1]", "0"),
        (BurstWriter, "last.eq(self._next.left == 0)", "last.eq(0)"),
        (BurstWriter, "words.i.valid.eq(load)", "words.i.valid.eq(queue.o.valid & words.room)"),
        (BurstWriter, "issuer.done.eq(bus.bvalid)", "issuer.done.eq(bus.wvalid & bus.wlast)"),
        (BurstWriter, "bus.bvalid & bus.bresp[1]", "0"),
        (BurstWriter, "issuer.give.eq(self.i.valid & self.i.ready)",
         "issuer.give.eq(self.i.valid)"),
    ],
    ids=[
        "room promised twice", "last of every burst", "cancelled beat given", "command survives",
        "idle with beats in the queue", "error ignored", "no WLAST", "word that is not there",
        "responses not awaited", "bad response ignored", "word counted twice",
    ],
)
def test_blocks_refute(block, old, new):
    check = prove_reader if block is BurstReader else prove_writer
    with pytest.raises(AssertionError, match="bmc of depth 16 refuted"):
        check(mutant(block, old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("current.first.eq(~0)", "current.first.eq(current.first)"),
        ("self._next.last.eq(Cat(whole | (lane < issued.end_lane) for lane in lanes))",
         "self._next.last.eq(~0)"),
    ],
    ids=["strobes of the first word stay", "strobes past the end"],
)
def test_writer_refutes(old, new):
    with pytest.raises(AssertionError, match="bmc of depth 16 refuted"):
        prove_writer(mutant(BurstWriter, old, new), calm=True)


def test_drain_control_refutes(monkeypatch):
    broken = mutant(DrainControl, "self.home & self.draining", "self.home")
    monkeypatch.setattr("fxhw.gateware.burst_writer.DrainControl", broken)
    with pytest.raises(AssertionError, match="bmc of depth 16 refuted"):
        prove_writer()


@pytest.mark.parametrize(
    ("check", "block", "old", "new"),
    [
        (prove_read_share, ReadShare, "client.rvalid.eq(beats.o.valid & here)",
         "client.rvalid.eq(beats.o.valid)"),
        (prove_write_share, WriteShare, "t & c.wvalid & c.wlast for", "t & c.wvalid for"),
        (prove_write_share, WriteShare, "words.room & turn[n]", "words.room"),
        (prove_write_share, WriteShare, "fork.o[0].ready.eq(bus.awready)", "fork.o[0].ready.eq(1)"),
        (prove_write_share, WriteShare, "client.bvalid.eq(responses.o.valid & here)",
         "client.bvalid.eq(responses.o.valid)"),
    ],
    ids=["beats for all", "turn of one word", "word out of turn", "address withdrawn",
         "responses for all"],
)
def test_shares_refute(check, block, old, new):
    with pytest.raises(AssertionError, match="refuted"):
        check(mutant(block, old, new))


class TestBeatQueue:
    def test_contract(self):
        prove_stream_contract(BeatQueue(2, 4))

    @staticmethod
    def prove_data(block):
        prove_stream_function(block(1, 2), 5, lambda words: words, depth=14)

    def test_data(self):
        self.prove_data(BeatQueue)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("< self._depth - 1", "< self._depth"),
            ("Mux(read, several, waiting)", "Mux(read, 1, waiting)"),
            ("beyond != written", "1"),
            ("words.register_enable.eq(~self.o.valid | self.o.ready)",
             "words.register_enable.eq(1)"),
            ("words.enable.eq(~latched | words.register_enable)", "words.enable.eq(1)"),
        ],
        ids=["overflow", "underflow", "underflow after several", "overwritten word",
             "overwritten word behind it"],
    )
    def test_refutes(self, old, new):
        with pytest.raises(AssertionError, match="bmc of depth 14 refuted"):
            self.prove_data(mutant(BeatQueue, old, new))


def test_arbiter_contract():
    prove_stream_contract(StreamArbiter(2, (2, 1, 1)))
