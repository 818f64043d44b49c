# amaranth: UnusedElaboratable=no

"""AxiLiteSlave keeps the rules of AXI4-Lite, for ever and for every lawful master."""

import inspect
import sys

import pytest
from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Assume, Cat, Cover, Elaboratable, Module, Mux, Signal

from fxhw.gateware.axi_lite import AxiLiteSlave

from .prover import prove

pytestmark = pytest.mark.formal

ADDRESS_BITS, COUNT = 5, 5
OKAY, SLVERR = 0, 2


class AxiLiteSpec(Elaboratable):
    """A slave between a lawful master and registers of any contents.

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
        driven = [
            "awaddr", "awprot", "awvalid", "wdata", "wstrb", "wvalid", "bready",
            "araddr", "arprot", "arvalid", "rready",
        ]
        for port in (
            *(getattr(bus, name) for name in driven), registers.read_data, registers.read_done
        ):
            m.d.comb += port.eq(AnySeq(len(port)))
        self._holds(m, Assume, bus.awvalid, bus.awready, Cat(bus.awaddr, bus.awprot), "aw")
        self._holds(m, Assume, bus.wvalid, bus.wready, Cat(bus.wdata, bus.wstrb), "w")
        self._holds(m, Assume, bus.arvalid, bus.arready, Cat(bus.araddr, bus.arprot), "ar")
        if self.cover:
            for valid, response in ((bus.bvalid, bus.bresp), (bus.rvalid, bus.rresp)):
                for value in OKAY, SLVERR:
                    m.d.comb += Cover(valid & (response == value))
            return m

        self._holds(m, Assert, bus.bvalid, bus.bready, bus.bresp, "b")
        self._holds(m, Assert, bus.rvalid, bus.rready, Cat(bus.rdata, bus.rresp), "r")
        self._writes(m, bus, registers)
        self._reads(m, bus, registers)
        return m

    @staticmethod
    def _holds(m, check, valid, ready, payload, name):
        """What is valid stays valid and unchanged until it is taken."""
        waited = Signal(name=f"{name}_waited")
        before = Signal(len(payload), name=f"{name}_before")
        m.d.sync += [waited.eq(valid & ~ready), before.eq(payload)]
        m.d.comb += check(~waited | (valid & (payload == before)))

    @staticmethod
    def _moves(m, condition, name, cycles=2):
        """Within ``cycles`` of ``condition`` holding, it is over."""
        stuck = Signal(3, name=f"{name}_stuck")
        m.d.sync += stuck.eq(Mux(condition, stuck + 1, 0))
        m.d.comb += Assert(stuck < cycles)

    def _writes(self, m, bus, registers):
        """One answer and at most one register write for every address with its data."""
        # Taken and not yet answered; the slave takes one write at a time.
        addresses, words = Signal(2), Signal(2)
        address, data, strobes = Signal(ADDRESS_BITS), Signal(32), Signal(4)
        took_address, took_word = bus.awvalid & bus.awready, bus.wvalid & bus.wready
        answered = bus.bvalid & bus.bready
        m.d.sync += [
            addresses.eq(addresses + took_address - answered),
            words.eq(words + took_word - answered),
        ]
        with m.If(took_address):
            m.d.sync += address.eq(bus.awaddr)
        with m.If(took_word):
            m.d.sync += [data.eq(bus.wdata), strobes.eq(bus.wstrb)]
        m.d.comb += [
            # An answer comes only after both, and there is one for each.
            Assert(addresses == bus.bvalid),
            Assert(words == bus.bvalid),
        ]

        pulses, index, written = Signal(2), Signal(ADDRESS_BITS - 2), Signal(32)
        m.d.sync += pulses.eq(Mux(answered, 0, pulses) + registers.write)
        with m.If(registers.write):
            m.d.sync += [index.eq(registers.write_index), written.eq(registers.write_data)]
        known = (address[2:] < COUNT) & strobes.all()
        m.d.comb += [
            Assert(pulses <= 1),
            Assert(bus.bvalid | (pulses == 0)),
        ]
        with m.If(bus.bvalid):
            m.d.comb += [
                Assert(bus.bresp == Mux(known, OKAY, SLVERR)),
                Assert(pulses == known),
                Assert(~known | ((index == address[2:]) & (written == data))),
            ]
        self._moves(m, bus.awvalid & bus.wvalid & bus.bready & ~bus.awready, "address")
        self._moves(m, bus.awvalid & bus.wvalid & bus.bready & ~bus.wready, "word")

    def _reads(self, m, bus, registers):
        """One answer for every address: what the register was when the registers gave it."""
        reads, address, data = Signal(2), Signal(ADDRESS_BITS), Signal(32)
        took, answered = bus.arvalid & bus.arready, bus.rvalid & bus.rready
        m.d.sync += reads.eq(reads + took - answered)
        with m.If(took):
            m.d.sync += address.eq(bus.araddr)
        # The registers give what is wanted, within a cycle, and leave it there.
        waited, before = Signal(), Signal(32)
        m.d.sync += [
            waited.eq(registers.read & ~registers.read_done),
            before.eq(registers.read_data),
        ]
        m.d.comb += [
            Assume(~registers.read_done | registers.read),
            Assume(~(waited & registers.read) | registers.read_done),
            Assume(registers.read | (registers.read_data == before)),
        ]
        with m.If(registers.read_done):
            m.d.sync += data.eq(registers.read_data)
        m.d.comb += [
            Assert(reads == bus.rvalid + registers.read),
            Assert(~(bus.rvalid & registers.read)),
            Assert(~registers.read | (registers.read_index == address[2:])),
        ]
        known = address[2:] < COUNT
        with m.If(registers.read | bus.rvalid):
            m.d.comb += Assert(bus.rresp == Mux(known, OKAY, SLVERR))
        with m.If(bus.rvalid):
            m.d.comb += [Assert(bus.rdata == data), Assert(data == before)]
        self._moves(m, bus.arvalid & bus.rready & ~bus.arready, "read", 4)


def test_rules():
    prove(AxiLiteSpec(AxiLiteSlave(ADDRESS_BITS, COUNT)), 6, "induction")


def test_every_answer_comes_although_no_answer_is_taken():
    class Patient(AxiLiteSpec):
        def elaborate(self, platform):
            m = super().elaborate(platform)
            m.d.comb += Assume(~self.dut.bus.bready & ~self.dut.bus.rready)
            return m

    prove(Patient(AxiLiteSlave(ADDRESS_BITS, COUNT), cover=True), 5, "cover")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bus.wready.eq(write)", "bus.wready.eq(bus.wvalid & ~bus.bvalid)"),
        ("registers.write.eq(write & write_known)", "registers.write.eq(write)"),
        ("registers.write.eq(write & write_known)",
         "registers.write.eq(bus.awvalid & bus.wvalid & write_known)"),
        ("& bus.wstrb.all()", ""),
        ("bus.awvalid & bus.wvalid & ~bus.bvalid", "bus.awvalid & bus.wvalid"),
        ("~registers.read & ~bus.rvalid", "~registers.read"),
        ("registers.read & registers.read_done", "registers.read"),
        ("m.d.sync += bus.bvalid.eq(0)", "pass"),
    ],
    ids=[
        "data before address", "write in spite of an error", "two writes", "strobes ignored",
        "answer overwritten", "read overwritten", "answer too early", "answer never leaves",
    ],
)
def test_refutes(old, new):
    source = inspect.getsource(AxiLiteSlave)
    assert source.count(old) == 1
    scope = dict(vars(sys.modules[AxiLiteSlave.__module__]))
    exec(source.replace(old, new), scope)  # the project's own source
    with pytest.raises(AssertionError, match="bmc of depth 6 refuted"):
        prove(AxiLiteSpec(scope["AxiLiteSlave"](ADDRESS_BITS, COUNT)), 6)
