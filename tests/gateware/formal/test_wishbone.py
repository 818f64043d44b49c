# amaranth: UnusedElaboratable=no

"""The Wishbone bridges keep Wishbone's rules and those of what is behind them."""

import pytest
from amaranth.asserts import AnyConst
from amaranth.hdl import Assert, Assume, Cat, Cover, Elaboratable, Module, Mux, Signal

from fxhw.gateware.axi4 import Response
from fxhw.gateware.wishbone import CycleType
from fxhw.gateware.wishbone_memory import WishboneMaster
from fxhw.gateware.wishbone_registers import WishboneSlave
from fxhw.plan.bursts import BurstSpec

from ..mutants import mutant
from .prover import prove
from .test_bursts import Book, address_length, drive, holds

pytestmark = pytest.mark.formal

ADDRESS_BITS, COUNT = 3, 5


def moves(m, condition, cycles):
    """Within ``cycles`` of ``condition`` holding, it is over."""
    stuck = Signal(range(cycles + 1))
    m.d.sync += stuck.eq(Mux(condition, stuck + 1, 0))
    m.d.comb += Assert(stuck < cycles)


class SlaveSpec(Elaboratable):
    """A slave between a lawful master, which may give up a cycle, and registers.

    Parameters
    ----------
    dut : the slave.
    cover : whether to cover answers of every kind instead of asserting the rules.
    """

    def __init__(self, dut, cover=False):
        self.dut = dut
        self.cover = cover

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        bus, registers = dut.bus, dut.registers
        drive(m, bus.cyc, bus.stb, bus.we, bus.adr, bus.sel, bus.dat_w)
        drive(m, registers.read_data, registers.read_done)
        wanted, answered = bus.cyc & bus.stb, bus.ack | bus.err
        request = Cat(bus.we, bus.adr, bus.sel, bus.dat_w)
        # A request may be given up, not changed.
        waited, before = Signal(), Signal(len(request))
        m.d.sync += [waited.eq(wanted & ~answered), before.eq(request)]
        m.d.comb += Assume(~(waited & wanted) | (request == before))
        if self.cover:
            for we in 0, 1:
                for answer in bus.ack, bus.err:
                    m.d.comb += Cover(answer & (bus.we == we))
            return m

        known = (bus.adr < COUNT) & (~bus.we | bus.sel.all())
        m.d.comb += [
            Assert(~answered | wanted),
            Assert(~(bus.ack & bus.err)),
            Assert(~answered | (bus.ack == known)),
        ]
        # One register write for every write that is answered well, and none otherwise.
        written, index, word = Signal(), Signal(ADDRESS_BITS), Signal(32)
        m.d.sync += written.eq((written & wanted | registers.write) & ~answered)
        with m.If(registers.write):
            m.d.sync += [index.eq(registers.write_index), word.eq(registers.write_data)]
            m.d.comb += [Assert(wanted & bus.we & known), Assert(~(written & waited))]
        with m.If(answered & bus.we):
            m.d.comb += [
                Assert(~registers.write),
                Assert(written == known),
                Assert(~known | ((index == bus.adr) & (word == bus.dat_w))),
            ]
        self._reads(m, bus, registers, wanted, answered, waited)
        return m

    def _reads(self, m, bus, registers, wanted, answered, waited):
        """The answer is what the register was when the registers gave it, since it was asked."""
        asked, stays, data = Signal(), Signal(32), Signal(32)
        m.d.sync += [
            asked.eq(registers.read & ~registers.read_done),
            stays.eq(registers.read_data),
        ]
        m.d.comb += [
            # The registers give what is wanted, within a cycle, even if it is given up then.
            Assume(~registers.read_done | asked),
            Assume(~(asked & registers.read) | registers.read_done),
            Assume(registers.read_done | (registers.read_data == stays)),
            Assert(~(registers.read & wanted & waited) | (registers.read_index == bus.adr)),
            Assert(~(registers.read & wanted) | ~bus.we),
        ]
        given = Signal()
        m.d.sync += given.eq(wanted & registers.read & registers.read_done)
        with m.If(registers.read_done):
            m.d.sync += data.eq(registers.read_data)
        with m.If(answered & ~bus.we):
            m.d.comb += [Assert(given), Assert(bus.dat_r == data)]
        moves(m, wanted & ~answered, 5)


def test_slave():
    prove(SlaveSpec(WishboneSlave(ADDRESS_BITS, COUNT)), 6, "induction")


def test_slave_answers():
    prove(SlaveSpec(WishboneSlave(ADDRESS_BITS, COUNT), cover=True), 6, "cover")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bus.ack.eq(wanted & done & ~refused)", "bus.ack.eq(done & ~refused)"),
        ("bus.err.eq(wanted & done & refused)", "bus.err.eq(0)"),
        ("registers.write.eq(write & known)", "registers.write.eq(write)"),
        ("bus.we & ~done),", "bus.we),"),
        ("& (~bus.we | bus.sel.all())", ""),
        ("done.eq(wanted & ~done & (bus.we | arrives))", "done.eq(wanted & ~done)"),
        ("registers.read & registers.read_done", "registers.read_done"),
        ("registers.read.eq(wanted & ~done & ~bus.we & ~arrives)", "registers.read.eq(wanted)"),
        ("done.eq(wanted & ~done &", "done.eq(wanted &"),
    ],
    ids=[
        "answer without a cycle", "no error", "write in spite of an error", "two writes",
        "lanes ignored", "answer too early", "answer to what was given up",
        "read although it is there", "two answers",
    ],
)
def test_slave_refutes(old, new):
    with pytest.raises(AssertionError, match="bmc of depth 8 refuted"):
        prove(SlaveSpec(mutant(WishboneSlave, old, new)(ADDRESS_BITS, COUNT)), 8)


SPEC = BurstSpec(2, 2, max_count=2, address_bits=4)


def assert_bus(m, bus):
    """What a slave may rely on: cycles that hold until they are answered, bursts that go on."""
    answered = bus.stb & (bus.ack | bus.err)
    beat = Cat(bus.adr, bus.we, bus.sel, bus.cti, bus.bte, Mux(bus.we, bus.dat_w, 0))
    went_on, failed, ended = Signal(), Signal(), Signal()
    adr, we, cyc = Signal.like(bus.adr), Signal(), Signal()
    more = bus.cti == CycleType.INCREMENTING
    m.d.sync += [
        went_on.eq(answered & ~bus.err & more),
        failed.eq(answered & bus.err),
        ended.eq(answered & ~more),
        adr.eq(bus.adr), we.eq(bus.we), cyc.eq(bus.cyc),
    ]
    goes_on = cyc & ~(ended | failed)
    m.d.comb += [
        Assert(holds(m, bus.stb, bus.ack | bus.err, beat)),
        Assert(~bus.stb | bus.cyc),
        Assert((bus.cti == CycleType.INCREMENTING) | (bus.cti == CycleType.END)),
        Assert(bus.bte == 0),
        Assert(~(bus.cyc & ~bus.we) | bus.sel.all()),
        # A burst is one cycle, of ascending words; there is a pause behind it.
        Assert(~goes_on | (bus.cyc & (bus.we == we))),
        Assert(~went_on | (bus.adr == adr + 1)),
        Assert(~(ended | failed) | ~bus.cyc),
    ]


class MasterSpec(Elaboratable):
    """Bursts of a lawful AXI4 port, at any pace, to a slave that answers as it likes.

    The slave may answer although nothing is wanted.  What is read is the lower bits of its word's
    address, or an error, of one word of the solver's choice.  Words to write are numbered, and
    their strobes are the lower bits of their numbers.
    """

    def __init__(self, dut, only=None, eager=False):
        self.dut = dut
        self.only = only
        self.eager = eager

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        bus, reads, writes = dut.bus, dut.reads, dut.writes
        drive(m, bus.ack, bus.err)
        drive(m, reads.arvalid, reads.araddr, reads.arlen, reads.arid, reads.rready)
        drive(m, writes.awvalid, writes.awaddr, writes.awlen, writes.awid)
        drive(m, writes.wvalid, writes.bready)
        broken = Signal.like(bus.adr)
        m.d.comb += [
            broken.eq(AnyConst(len(bus.adr))),
            bus.dat_r.eq(bus.adr),
            Assume(~(bus.ack & bus.err)),
            Assume(~(bus.stb & (bus.ack | bus.err)) | (bus.err == (bus.adr == broken))),
        ]
        if self.only:
            m.d.comb += Assume(~(writes.awvalid | writes.wvalid if self.only == "reads"
                                 else reads.arvalid))
        if self.eager:
            m.d.comb += Assume((bus.ack | bus.err) & reads.rready & writes.bready)
        assert_bus(m, bus)
        self._reads(m, bus, reads, broken)
        self._writes(m, bus, writes, broken)
        return m

    @staticmethod
    def _request(m, port, prefix):
        """A lawful address channel: address, length and ID of a burst, as one value."""
        valid, ready = getattr(port, f"{prefix}valid"), getattr(port, f"{prefix}ready")
        request, split = address_length(port, prefix)
        entry = Cat(request, getattr(port, f"{prefix}id"))
        address, length = request[:split], request[split:]
        m.d.comb += [
            Assume(holds(m, valid, ready, entry)),
            Assume(~valid | ((address[0] == 0) & (address[1] + length < 2))),
        ]
        return valid, ready, entry

    @staticmethod
    def _parts(entry):
        """Word address, length and ID of an entry."""
        bits = SPEC.address_bits
        return entry[SPEC.lane_bits : bits], entry[bits : bits + 8], entry[bits + 8 :]

    def _reads(self, m, bus, reads, broken):
        valid, ready, entry = self._request(m, reads, "ar")
        book = Book(m, 3, valid & ready, entry)
        address, length, number = self._parts(book.entries[0])
        bad = Signal()
        word = (address + book.beat)[: len(address)]
        failed = bad | (word == broken)
        m.d.comb += [
            Assert(~(valid & ready) | book.room),
            book.step.eq(reads.rvalid & reads.rready),
            book.last.eq(reads.rlast),
            Assert(holds(
                m, reads.rvalid, reads.rready,
                Cat(reads.rdata, reads.rid, reads.rresp, reads.rlast),
            )),
        ]
        with m.If(book.step):
            m.d.sync += bad.eq(failed & ~reads.rlast)
        with m.If(reads.rvalid):
            m.d.comb += [
                Assert(book.count != 0),
                Assert(reads.rid == number),
                Assert(reads.rlast == (book.beat == length)),
                Assert(reads.rresp == Mux(failed, Response.SLVERR, Response.OKAY)),
                Assert(failed | (reads.rdata == word)),
            ]
        if self.eager:
            # A burst of each kind, two beats and a pause long, may go first.
            moves(m, reads.arvalid & ~reads.arready, 7)

    def _writes(self, m, bus, writes, broken):
        valid, ready, entry = self._request(m, writes, "aw")
        book = Book(m, 2, valid & ready, entry)
        address, length, number = self._parts(book.entries[0])

        # Lawful words: those of announced bursts, or of the one that is announced next.
        sent, announced = Signal(4), Signal(4)
        taken = writes.wvalid & writes.wready
        m.d.sync += [
            sent.eq(sent + taken),
            announced.eq(announced + Mux(valid & ready, self._parts(entry)[1] + 1, 0)),
        ]
        m.d.comb += [
            writes.wdata.eq(sent),
            writes.wstrb.eq(sent),
            Assume(holds(m, writes.wvalid, writes.wready, sent)),
            Assume(~writes.wvalid | valid | (sent != announced)),
            Assume(~(valid & ready) | book.room),
        ]
        if self.eager:
            m.d.comb += Assume(writes.wvalid | ((sent == announced) & ~valid))

        first, done = Signal(4), Signal()  # number of the burst's first word; its last was seen
        bad = Signal()
        here = bus.stb & bus.we
        answered = here & (bus.ack | bus.err)
        count = Signal(2)  # words the bus has taken of the burst
        m.d.sync += count.eq(count + answered)
        response = writes.bvalid & writes.bready
        with m.If(answered & bus.err):
            m.d.sync += bad.eq(1)
        with m.If(answered & (bus.cti == CycleType.END)):
            m.d.sync += done.eq(1)
        with m.If(response):
            m.d.sync += [first.eq(first + length + 1), bad.eq(0), done.eq(0), count.eq(0)]
        m.d.comb += [
            book.step.eq(response),
            book.last.eq(1),
            Assert(holds(m, writes.bvalid, writes.bready, Cat(writes.bid, writes.bresp))),
        ]
        with m.If(here):
            m.d.comb += [
                Assert(book.count != 0),
                Assert(~bad & ~writes.bvalid),
                Assert(bus.adr == (address + count)[: len(address)]),
                Assert(count <= length),
                Assert((bus.cti == CycleType.END) == (count == length)),
                Assert(bus.dat_w == (first + count)[:4]),
                Assert(bus.sel == (first + count)[:2]),
            ]
        with m.If(writes.bvalid):
            m.d.comb += [
                Assert(book.count != 0),
                Assert(done | bad),
                Assert(writes.bid == number),
                Assert(writes.bresp == Mux(bad, Response.SLVERR, Response.OKAY)),
                # Those that were dropped are gone.
                Assert((sent - first)[:4] > length),
            ]
        if self.eager:
            moves(m, valid & ~ready, 7)


class BusSpec(Elaboratable):
    """The rules of the bus alone, whatever comes from AXI4, lawful or not."""

    def __init__(self, dut):
        self.dut = dut

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        bus, reads, writes = dut.bus, dut.reads, dut.writes
        drive(m, bus.ack, bus.err, bus.dat_r)
        drive(m, reads.arvalid, reads.araddr, reads.arlen, reads.arid, reads.rready)
        drive(m, writes.awvalid, writes.awaddr, writes.awlen, writes.awid)
        drive(m, writes.wvalid, writes.wdata, writes.wstrb, writes.bready)
        for port, prefix in ((reads, "ar"), (writes, "aw")):
            address, length = getattr(port, f"{prefix}addr"), getattr(port, f"{prefix}len")
            valid = getattr(port, f"{prefix}valid")
            m.d.comb += Assume(~valid | (address[:12] + ((length + 1) << 3) <= 4096))
        assert_bus(m, bus)
        place = bus.adr[:9]
        m.d.comb += [
            Assert(~(bus.cyc & dut._dropping)),
            Assert(~(bus.cyc | dut._dropping) | (dut._last == (dut._left == 0))),
            Assert(~bus.cyc | (place + dut._left < 512)),
        ]
        return m


def prove_reads(block=WishboneMaster):
    prove(MasterSpec(block(SPEC, 1), "reads"), 9)


def prove_writes(block=WishboneMaster):
    prove(MasterSpec(block(SPEC, 1), "writes"), 9)


def prove_turns(block=WishboneMaster):
    prove(MasterSpec(block(SPEC, 1), eager=True), 10)


def prove_bus(block=WishboneMaster):
    prove(BusSpec(block(BurstSpec(8, 64), 2)), 4, "induction")


@pytest.mark.parametrize("check", [prove_bus, prove_reads, prove_writes, prove_turns])
def test_master(check):
    check()


@pytest.mark.parametrize(
    ("check", "old", "new"),
    [
        (prove_bus, "bus.cyc.eq(~(self._last | self._bad))", "bus.cyc.eq(~self._bad)"),
        (prove_bus, "bus.cyc.eq(~(self._last | self._bad))", "bus.cyc.eq(~self._last)"),
        (prove_bus, "place.eq(place + 1)", "place.eq(place)"),
        (prove_bus, "bus.stb.eq(bus.cyc & there)", "bus.stb.eq(there)"),
        (prove_bus, "Mux(bus.we, branch.payload.strb, ~0)", "branch.payload.strb"),
        (prove_bus, "(bus.cyc & (bus.ack | bus.err))", "bus.cyc"),
        (prove_reads, "self._last.eq(length == 0)", "self._last.eq(0)"),
        (prove_reads, "beats.i.payload.id.eq(self._id)", "beats.i.payload.id.eq(reads.arid)"),
        (prove_reads, "beats.i.payload.resp.eq(Mux(self._bad,",
         "beats.i.payload.resp.eq(Mux(bus.err,"),
        (prove_writes, "self._word_there & ~writes.bvalid", "self._word_there"),
        (prove_writes, "self._step & self.bus.we & self._last", "self._step & self.bus.we"),
        (prove_writes, "branch.ready.eq(self._step & bus.we)", "branch.ready.eq(bus.we)"),
        (prove_turns, "~(reads.arvalid & bus.we)", "~reads.arvalid"),
    ],
    ids=[
        "no pause", "on after an error", "address stays", "STB without CYC", "lanes of a read",
        "answer not awaited", "no last beat", "another burst's ID", "one error of many",
        "response overwritten", "a response per word", "word lost", "writes starve",
    ],
)
def test_master_refutes(check, old, new):
    with pytest.raises(AssertionError, match="refuted"):
        check(mutant(WishboneMaster, old, new))
