"""A small design with the pins of the version with external memory, to test what is around it.

Its program is two words: a key and a count.  It copies so many bytes of the image to the mask, each
exclusive-or'ed with the key, in bursts of two IDs at a time, and refuses what the accelerator
refuses.
"""

import hashlib
import json
from pathlib import Path

from amaranth.hdl import C, Cat, ClockDomain, ClockSignal, Module, Mux, ResetSignal, Shape, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fxhw.emit import emit_verilog
from fxhw.gateware.axi_lite import AxiLiteSignature, AxiLiteSlave
from fxhw.manifest import SCHEMA, content_hash
from fxhw.plan.registers import (
    IDENTITY,
    RANGES,
    VERSION,
    Cause,
    Control,
    ErrorCode,
    registers_of,
)

DIGEST = "1f0e" * 16
BEATS = 4  # of a burst, at most
ADDRESS_BITS = 8
REGISTERS = registers_of(external=True)


def master_pins(address_bits, data_bits):
    """The AXI4 master's pins by name."""
    request = {
        "id": Out(1),
        "addr": Out(address_bits),
        "len": Out(8),
        "size": Out(3),
        "burst": Out(2),
        "cache": Out(4),
        "prot": Out(3),
        "valid": Out(1),
        "ready": In(1),
    }
    pins = {f"{channel}{name}": flow for channel in ("aw", "ar") for name, flow in request.items()}
    return pins | {
        "wdata": Out(data_bits),
        "wstrb": Out(data_bits // 8),
        "wlast": Out(1),
        "wvalid": Out(1),
        "wready": In(1),
        "bid": In(1),
        "bresp": In(2),
        "bvalid": In(1),
        "bready": Out(1),
        "rid": In(1),
        "rdata": In(data_bits),
        "rresp": In(2),
        "rlast": In(1),
        "rvalid": In(1),
        "rready": Out(1),
    }


class Inverter(wiring.Component):
    """The design."""

    def __init__(self, data_bits=64, address_bits=40):
        self._bytes = data_bits // 8
        slave = AxiLiteSignature(ADDRESS_BITS).members
        master = master_pins(address_bits, data_bits)
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                **{f"s_axi_{name}": member.flip() for name, member in slave.items()},
                **{f"m_axi_{name}": member for name, member in master.items()},
                "irq": Out(1),
                "trace_step": Out(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain(local=True)
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]
        m.submodules.slave = slave = AxiLiteSlave(ADDRESS_BITS, len(REGISTERS))
        for name, member in AxiLiteSignature(ADDRESS_BITS).members.items():
            outer, inner = getattr(self, f"s_axi_{name}"), getattr(slave.bus, name)
            m.d.comb += inner.eq(outer) if member.flow is Out else outer.eq(inner)

        busy, done, ended, irq_enable = Signal(), Signal(), Signal(), Signal()
        code, step, cycles = Signal(8), Signal(16), Signal(32)
        start = Signal()
        values = {
            "ID": IDENTITY,
            "VERSION": VERSION,
            "CONTROL": Cat(C(0, 3), irq_enable),
            "STATUS": Cat(busy, done, code != 0, C(0, 13), step),
            "ERROR": Cat(code, C(0, 8), step),
            "DESIGN": int(DIGEST[:8], 16),
            "BUS_BITS": 8 * self._bytes,
            "CYCLES": cycles,
            f"CYCLES_{Cause.ARRAY.name}": cycles,
        }
        port, ranges = slave.registers, {}
        for name in RANGES:
            low, high, size = (Signal(32, name=f"{name.lower()}_{n}") for n in ("l", "h", "size"))
            ranges[name] = Cat(low, high), size
            for part, signal in (("BASE_LOW", low), ("BASE_HIGH", high), ("BYTES", size)):
                index = REGISTERS[f"{name}_{part}"].offset // 4
                values[f"{name}_{part}"] = signal
                with m.If(port.write & (port.write_index == index) & ~busy):
                    m.d.sync += signal.eq(port.write_data)
        m.d.sync += port.read_done.eq(port.read & ~port.read_done)
        with m.Switch(port.read_index):
            for name, value in values.items():
                with m.Case(REGISTERS[name].offset // 4):
                    m.d.sync += port.read_data.eq(value)
        with m.If(port.write & (port.write_index == REGISTERS["CONTROL"].offset // 4)):
            m.d.sync += irq_enable.eq((port.write_data & Control.IRQ_ENABLE) != 0)
            m.d.comb += start.eq(((port.write_data & Control.START) != 0) & ~busy)
            with m.If((port.write_data & Control.START).bool() & busy & (code == 0)):
                m.d.sync += code.eq(ErrorCode.START_BUSY)
        with m.If(port.write & (port.write_index == REGISTERS["ERROR"].offset // 4)):
            m.d.sync += code.eq(0)
        with m.If(busy):
            m.d.sync += cycles.eq(cycles + 1)
        m.d.comb += [self.irq.eq(ended & irq_enable), self.trace_step.eq(step)]

        def finish(error=ErrorCode.NONE):
            m.d.sync += [busy.eq(0), ended.eq(1), done.eq(error == ErrorCode.NONE)]
            with m.If(code == 0):
                m.d.sync += code.eq(error)
            m.next = "Idle"

        self._run(m, start, busy, ended, done, code, step, cycles, ranges, finish)
        return m

    def _run(self, m, start, busy, ended, done, code, step, cycles, ranges, finish):
        """Idle -> Check -> Key -> (Ask, Collect, Address, Data, Answer) ... -> Idle."""
        size, bits = self._bytes, 8 * self._bytes
        shift = (size - 1).bit_length()
        self._constants(m, shift)
        key, count = Signal(32), Signal(32)
        source, target, left = Signal(64), Signal(64), Signal(32)  # addresses, beats
        store = Signal(data.ArrayLayout(data.ArrayLayout(bits, BEATS), 2))
        beats = Signal(data.ArrayLayout(range(BEATS + 1), 2))  # of each ID's burst
        got = Signal(data.ArrayLayout(range(BEATS + 1), 2))
        which, sent, chunks, failed = Signal(), Signal(range(BEATS + 1)), Signal(2), Signal()
        fit = Signal(range(BEATS + 1))

        def room(address):
            return ((4096 - address[:12]) >> shift)[: 13 - shift]

        m.d.comb += fit.eq(BEATS)
        for limit in (left, room(source), room(target)):
            tighter = Signal(range(BEATS + 1))
            m.d.comb += tighter.eq(Mux(limit < fit, limit, fit))
            fit = tighter
        # Answers are taken in every state that may wait for the memory to accept something else.
        collecting, answered, answers = Signal(), Signal(), Signal(2)
        with m.If(collecting):
            m.d.comb += self.m_axi_rready.eq(1)
            with m.If(self.m_axi_rvalid):
                place = got[self.m_axi_rid]
                each = key[:8].replicate(size)
                m.d.sync += store[self.m_axi_rid][place[:2]].eq(self.m_axi_rdata ^ each)
                m.d.sync += [place.eq(place + 1), failed.eq(failed | (self.m_axi_rresp != 0))]
        with m.If(answered):
            m.d.comb += self.m_axi_bready.eq(1)
            with m.If(self.m_axi_bvalid):
                m.d.sync += answers.eq(answers + 1)
                m.d.sync += failed.eq(failed | (self.m_axi_bresp != 0))
        with m.FSM():
            with m.State("Idle"):
                with m.If(start):
                    m.d.sync += [busy.eq(1), ended.eq(0), done.eq(0), code.eq(0), cycles.eq(0)]
                    m.d.sync += [step.eq(0), failed.eq(0)]
                    m.next = "Check"
            with m.State("Check"):
                self._check(m, ranges, finish)
            with m.State("Key"):
                base = ranges["PROGRAM"][0]
                m.d.comb += [self.m_axi_araddr.eq(base), self.m_axi_arvalid.eq(1)]
                with m.If(self.m_axi_arready):
                    m.next = "Word"
            with m.State("Word"):
                m.d.comb += self.m_axi_rready.eq(1)
                pixels = self.m_axi_rdata[32:64]
                with m.If(self.m_axi_rvalid):
                    m.d.sync += [key.eq(self.m_axi_rdata[:32]), count.eq(pixels), which.eq(0)]
                    m.d.sync += [source.eq(ranges["IMAGE"][0]), target.eq(ranges["MASK"][0])]
                    m.d.sync += [beats.eq(0), got.eq(0), answers.eq(0)]
                    m.d.sync += left.eq((pixels + size - 1) >> shift)
                    m.next = "Ask"
                    with m.If(self.m_axi_rresp != 0):
                        finish(ErrorCode.MEMORY_READ)
                    with m.Elif(pixels > ranges["MASK"][1]):
                        finish(ErrorCode.RANGE_LIMIT)
            with m.State("Ask"):
                m.d.comb += [self.m_axi_araddr.eq(source), self.m_axi_arvalid.eq(1)]
                m.d.comb += [self.m_axi_arid.eq(which), self.m_axi_arlen.eq(fit - 1)]
                with m.If(self.m_axi_arready):
                    m.d.sync += [beats[which].eq(fit), source.eq(source + (fit << shift))]
                    m.d.sync += [target.eq(target + (fit << shift)), left.eq(left - fit)]
                    m.d.sync += which.eq(1)
                    with m.If((which == 1) | (left == fit)):
                        m.d.sync += chunks.eq(which + 1)
                        m.next = "Collect"
                m.d.comb += collecting.eq(1)
            with m.State("Collect"):
                m.d.comb += collecting.eq(1)
                with m.If((got[0] == beats[0]) & (got[1] == beats[1])):
                    m.d.sync += which.eq(0)
                    m.d.sync += target.eq(target - ((beats[0] + beats[1]) << shift))
                    m.next = "Address"
                    with m.If(failed):
                        finish(ErrorCode.MEMORY_READ)
            with m.State("Address"):
                m.d.comb += [self.m_axi_awaddr.eq(target), self.m_axi_awvalid.eq(1)]
                m.d.comb += [self.m_axi_awid.eq(which), self.m_axi_awlen.eq(beats[which] - 1)]
                m.d.sync += sent.eq(0)
                m.d.comb += answered.eq(1)
                with m.If(self.m_axi_awready):
                    m.next = "Data"
            with m.State("Data"):
                m.d.comb += [self.m_axi_wvalid.eq(1), self.m_axi_wlast.eq(sent + 1 == beats[which])]
                m.d.comb += self.m_axi_wdata.eq(store[which][sent[:2]])
                m.d.comb += answered.eq(1)
                for lane in range(size):
                    m.d.comb += self.m_axi_wstrb[lane].eq(count > lane)
                with m.If(self.m_axi_wready):
                    m.d.sync += [sent.eq(sent + 1), target.eq(target + size)]
                    m.d.sync += count.eq(Mux(count > size, count - size, 0))
                    with m.If(self.m_axi_wlast):
                        m.d.sync += which.eq(1)
                        m.next = "Answer"
                        with m.If(which + 1 < chunks):
                            m.next = "Address"
            with m.State("Answer"):
                m.d.comb += answered.eq(1)
                with m.If(answers == chunks):
                    m.d.sync += [which.eq(0), answers.eq(0), beats.eq(0), got.eq(0)]
                    m.d.sync += step.eq(step + 1)
                    m.next = "Ask"
                    with m.If(failed):
                        finish(ErrorCode.MEMORY_WRITE)
                    with m.Elif(left == 0):
                        finish()

    def _constants(self, m, shift):
        for channel in ("aw", "ar"):
            m.d.comb += [
                getattr(self, f"m_axi_{channel}size").eq(shift),
                getattr(self, f"m_axi_{channel}burst").eq(1),
                getattr(self, f"m_axi_{channel}cache").eq(3),
            ]

    def _check(self, m, ranges, finish):
        """Refuse ranges that overlap or are not aligned."""
        m.next = "Key"
        crooked = Cat(base & (self._bytes - 1) for base, _ in ranges.values()).any()
        overlaps = Cat(
            (a < d + e) & (d < a + b)
            for (na, (a, b)) in ranges.items()
            for (nd, (d, e)) in ranges.items()
            if na < nd
        ).any()
        with m.If(crooked):
            finish(ErrorCode.RANGE_ALIGNMENT)
        with m.Elif(overlaps):
            finish(ErrorCode.RANGE_OVERLAP)


def write_folder(folder: Path, size=(9, 11), key=0xFF, **options) -> Path:
    """A folder with the design, as ``fxhw generate`` would have made it, for images of ``size``."""
    folder.mkdir(parents=True)
    component = Inverter(**options)
    emitted = emit_verilog(component, "inverter", "a design for tests")
    ports = [
        {"name": name, "direction": "", "width": Shape.cast(member.shape).width}
        for name, member in component.signature.members.items()
    ]
    files = {
        "inverter.v": emitted.verilog,
        "program.hex": f"{key:08x}\n{size[0] * size[1]:08x}\n",
    }
    layers = ["first", "second"]
    manifest = {
        "schema": SCHEMA,
        "top": "inverter",
        "ports": ports,
        "design": {"ibits": 8},
        "design_digest": DIGEST,
        "logit_bytes": 1,
        "network": {"size": list(size), "image_channels": 1},
        "program": {"descriptors": []},
        "layers": [],
        "steps": [{"descriptor": n, "layer": name} for n, name in enumerate(layers)],
        "estimated_cycles": 1000,
        "external_memory": {
            "bus_bytes": options.get("data_bits", 64) // 8,
            "feature_bytes": 64,
        },
        "files": {
            name: {"role": "", "sha256": hashlib.sha256(text.encode()).hexdigest()}
            for name, text in files.items()
        },
    }
    manifest["content_hash"] = content_hash(manifest)
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
