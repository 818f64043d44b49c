# amaranth: UnusedElaboratable=no
"""RegisteredMemory == a list: in Amaranth, in Icarus, and as DP16KDs with a model of that cell."""

import itertools
import json
import random
import re
import shutil
import subprocess

import pytest
from amaranth.sim import Simulator

from fxhw.emit import emit_verilog, run_yosys
from fxhw.gateware.primitives.ecp5_memory import block_columns, fits_blocks
from fxhw.gateware.registered_memory import RegisteredMemory

SHAPES = [
    (16384, 1), (9001, 2), (8192, 3), (4096, 4), (2500, 5), (2048, 9), (1025, 9), (1024, 18),
    (520, 31), (512, 36), (300, 36), (100, 72), (300, 40),
]  # fmt: skip
"""(words, bits) of every kind of block, full and not."""

OPTIONS = [{}, {"spread": True}, {"register_enable": True}]
"""Of a memory: every kind."""


def make_accesses(depth, seed, count=500, own=False):
    """Writes (address, word), None for none, read addresses, None where the read side stands still,
    and whether the register behind moves on, a cycle each; writes and reads never meet."""
    rng = random.Random(seed)
    near = [rng.randrange(depth) for _ in range(12)] + [0, depth - 1]
    accesses = []
    for _ in range(count):
        write = (rng.choice(near), rng.getrandbits(72)) if rng.random() < 0.7 else None
        read = rng.choice(near) if rng.random() < 0.6 else None
        read = None if write and write[0] == read else read
        accesses.append((write, read, read is not None and not (own and rng.random() < 0.5)))
    return accesses


def expected(accesses, width, late=0):
    """The word before each cycle, None if it was never written; all of it ``late`` cycles later."""
    words, latch, word, given = {}, None, None, late * [None]
    for write, read, moves in accesses[: len(accesses) - late]:
        given.append(word)
        if moves:
            word = latch
        if read is not None:
            latch = words.get(read)
        if write:
            words[write[0]] = write[1] & ((1 << width) - 1)
    return given


def ports_of(accesses, width):
    for write, read, moves in accesses:
        address, word = write or (0, 0)
        yield {
            "write_enable": int(write is not None),
            "write_address": address,
            "data": word & ((1 << width) - 1),
            "enable": int(read is not None),
            "address": read or 0,
            "register_enable": int(moves),
        }


def check(given, accesses, width, late=0):
    compared = [(a, b) for a, b in zip(given, expected(accesses, width, late)) if b is not None]
    assert len(compared) > 50
    assert [a for a, _ in compared] == [b for _, b in compared]


@pytest.mark.parametrize(("depth", "width"), [(1, 7), (5, 3), (40, 12)])
@pytest.mark.parametrize("options", OPTIONS)
def test_equals_a_list(depth, width, options):
    dut = RegisteredMemory(depth, width, **options)
    accesses = make_accesses(depth, width, own="register_enable" in options)
    given = []

    async def bench(ctx):
        for ports in ports_of(accesses, width):
            for name, value in ports.items():
                if name in dut.signature.members:
                    ctx.set(getattr(dut, name), value)
            given.append(ctx.get(dut.word))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    check(given, accesses, width, late=int("spread" in options))


def test_a_spread_memory_has_one_enable():
    with pytest.raises(ValueError, match="must not be spread if its register has an enable"):
        RegisteredMemory(512, 36, spread=True, register_enable=True)


@pytest.mark.parametrize(
    ("depth", "width", "cells"),
    [(64, 36, True), (48, 36, False), (256, 8, False), (257, 8, True), (16385, 4, False)],
)
def test_what_is_worth_blocks(depth, width, cells):
    assert fits_blocks(depth, width) == cells
    verilog = emit_verilog(RegisteredMemory(depth, width, target="ecp5"), "top").verilog
    assert ("DP16KD" in verilog) == cells


def test_a_block_is_no_deeper():
    with pytest.raises(ValueError, match="at most 16384 words, not 16385"):
        block_columns(16385, 1)


class Block:
    """A DP16KD with both clocks one.

    Parameters
    ----------
    holds : whether the clock enable holds the output register too; sources differ.
    shared : whether the enable of port B's register is that of both halves of a word of 36 bits.
    """

    def __init__(self, cell, holds, shared=False):
        parameters = cell["parameters"]
        self.pins = {name: bits[0] for name, bits in cell["connections"].items()}
        self.bits = int(parameters["DATA_WIDTH_A"], 2)
        assert int(parameters["DATA_WIDTH_B"], 2) == self.bits
        assert {self.pins[name] for name in ("RSTA", "RSTB", "WEB")} == {"0"}
        assert self.pins["CEA"] == "1"
        assert {self.pins[f"CS{port}{k}"] for port in "AB" for k in range(3)} == {"0"}
        self.registers = [parameters[f"REGMODE_{port}"] == "OUTREG" for port in "AB"]
        self.holds = holds
        self.shared = shared
        self.words, self.latch, self.register = {}, 0, {"A": 0, "B": 0}

    def step(self, nets):
        """A clock edge; ``nets`` are the levels before it."""
        level = {name: nets.get(net, net) for name, net in self.pins.items()}
        low = {1: 0, 2: 1, 4: 2, 9: 3, 18: 4, 36: 5}[self.bits]

        def number(name, first, end):
            return sum(int(level[f"{name}{k}"]) << (k - first) for k in range(first, end))

        enabled = int(level["CEB"])
        for port in "AB":
            opens = int(level["OCEB" if self.shared else f"OCE{port}"])
            if opens and (enabled or not self.holds):
                self.register[port] = self.latch
        if enabled:
            self.latch = self.words.get(number("ADB", low, 14), 0)
        # Words of 18 and 36 bits have a byte enable in each of the lowest address pins.
        bytes_ = {18: 2, 36: 4}.get(self.bits, 0)
        written = [int(level[f"ADA{k}"]) for k in range(bytes_)] or [1]
        assert len(set(written)) == 1
        if int(level["WEA"]) and written[0]:
            word = number("DIA", 0, min(self.bits, 18))
            if self.bits == 36:
                word |= number("DIB", 0, 18) << 18
            self.words[number("ADA", low, 14)] = word

    def outputs(self):
        """Net -> level."""
        words = [
            self.register[port] if register else self.latch
            for port, register in zip("AB", self.registers)
        ]
        for k in range(self.bits):
            # Words of both ports have their low half in port A.
            port = "B" if self.bits < 36 or k >= 18 else "A"
            yield self.pins[f"DO{port}{k % 18}"], words["AB".index(port)] >> k & 1


class Register:
    """A flip-flop.

    Parameters
    ----------
    cell : as Yosys made it; without enable and reset.
    """

    def __init__(self, cell):
        pins = {name: bits[0] for name, bits in cell["connections"].items()}
        assert cell["parameters"]["CEMUX"].strip() == "1"
        assert pins.get("LSR", "0") in ("0", "x")
        self.data, self.output, self.level = pins["DI"], pins["Q"], 0

    def step(self, nets):
        self.level = nets[self.data]

    def outputs(self):
        yield self.output, self.level


def synthesize(verilog, folder, kinds=("DP16KD",)):
    """Cells and ports of ``top``, made of ``kinds`` alone."""
    (folder / "top.v").write_text(verilog)
    run_yosys("read_verilog top.v\nsynth_ecp5 -top top\nwrite_json top.json\n", folder)
    module = json.loads((folder / "top.json").read_text())["modules"]["top"]
    cells = [cell for cell in module["cells"].values() if cell["type"] != "$scopeinfo"]
    assert {cell["type"] for cell in cells} == set(kinds)
    return cells, {name: port["bits"] for name, port in module["ports"].items()}


def run_blocks(cells, ports, accesses, width, holds=False, shared=False):
    blocks = [
        Block(cell, holds, shared) if cell["type"] == "DP16KD" else Register(cell) for cell in cells
    ]
    given = []
    for values in ports_of(accesses, width):
        nets = dict(net for block in blocks for net in block.outputs())
        given.append(sum(nets[net] << k for k, net in enumerate(ports["word"])))
        for name, value in values.items():
            nets |= {net: value >> k & 1 for k, net in enumerate(ports.get(name, []))}
        for block in blocks:
            block.step(nets)
    return given


@pytest.mark.parametrize(
    ("depth", "width", "own"),
    [*((*shape, False) for shape in SHAPES), (512, 65, True), (128, 64, True), (1024, 18, True)],
)
def test_blocks_equal_a_list(depth, width, own, tmp_path):
    memory = RegisteredMemory(depth, width, target="ecp5", register_enable=own)
    cells, ports = synthesize(emit_verilog(memory, "top").verilog, tmp_path)
    assert len(cells) == block_columns(depth, width)[0]
    accesses = make_accesses(depth, width, own=own)
    for holds, shared in itertools.product((False, True), repeat=2):
        check(run_blocks(cells, ports, accesses, width, holds, shared), accesses, width)


@pytest.mark.parametrize(("depth", "width", "sets"), [(16384, 9, 2), (2048, 9, 1), (520, 31, 1)])
def test_spread_blocks_have_registers_beside_them(depth, width, sets, tmp_path):
    """Sets of registers with equal contents stay apart."""
    memory = RegisteredMemory(depth, width, target="ecp5", spread=True)
    kinds = ("DP16KD", "TRELLIS_FF")
    cells, ports = synthesize(emit_verilog(memory, "top").verilog, tmp_path, kinds)
    registers = sum(cell["type"] == "TRELLIS_FF" for cell in cells)
    assert registers == width + sets * (2 * (depth - 1).bit_length() + 2)
    accesses = make_accesses(depth, width)
    check(run_blocks(cells, ports, accesses, width), accesses, width, late=1)
    with pytest.raises(AssertionError):
        check(run_blocks(cells, ports, accesses, width), accesses, width)


def test_a_register_that_opens_with_the_latch_is_seen(tmp_path):
    memory = RegisteredMemory(512, 36, target="ecp5", register_enable=True)
    cells, ports = synthesize(emit_verilog(memory, "top").verilog, tmp_path)
    accesses = make_accesses(512, 36, own=True)
    check(run_blocks(cells, ports, accesses, 36), accesses, 36)
    for pin in "OCEA", "OCEB":
        cells[0]["connections"][pin] = cells[0]["connections"]["CEB"]
    with pytest.raises(AssertionError):
        check(run_blocks(cells, ports, accesses, 36), accesses, 36)


def _no_register(cell):
    cell["parameters"]["REGMODE_B"] = "NOREG"


def _swap(one, other):
    def change(cell):
        pins = cell["connections"]
        pins[one], pins[other] = pins[other], pins[one]

    return change


def _open_register(cell):
    cell["connections"]["OCEB"] = ["1"]


@pytest.mark.parametrize(
    "change",
    [
        _no_register,
        _open_register,
        _swap("ADB5", "ADB6"),
        _swap("DIA0", "DIB0"),
        _swap("DOA3", "DOB3"),
    ],
)
def test_a_broken_block_is_seen(change, tmp_path):
    memory = RegisteredMemory(512, 36, target="ecp5")
    cells, ports = synthesize(emit_verilog(memory, "top").verilog, tmp_path)
    accesses = make_accesses(512, 36)
    check(run_blocks(cells, ports, accesses, 36), accesses, 36)
    change(cells[0])
    with pytest.raises(AssertionError):
        check(run_blocks(cells, ports, accesses, 36), accesses, 36)


@pytest.mark.parametrize(
    ("depth", "width"), [(16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36)]
)
def test_pins_and_contents_are_those_of_inferred_blocks(depth, width, tmp_path):
    """Yosys has no model of the cell, but makes it of memories by itself."""
    bits = (depth - 1).bit_length()
    inferred = f"""\
module top(input clk, write_enable, enable, input [{bits - 1}:0] write_address, address,
           input [{width - 1}:0] data, output reg [{width - 1}:0] word);
  (* no_rw_check, ram_style = "block" *) reg [{width - 1}:0] words [0:{depth - 1}];
  initial $readmemh("table.mem", words);
  always @(posedge clk) begin
    if (write_enable) words[write_address] <= data;
    if (enable) word <= words[address];
  end
endmodule
"""
    rng = random.Random(depth)
    init = tuple(rng.getrandbits(width) for _ in range(depth - 3))
    own = emit_verilog(RegisteredMemory(depth, width, "table", "ecp5", init), "top")
    assert sorted(own.memories) == ["table.mem", "table.vh"]
    seen, contents = [], []
    for name, verilog in (("inferred", inferred), ("own", own.verilog)):
        (tmp_path / name).mkdir()
        for file, text in own.memories.items():
            (tmp_path / name / file).write_text(text)
        (cell,), ports = synthesize(verilog, tmp_path / name)
        named = {net: (port, k) for port, nets in ports.items() for k, net in enumerate(nets)}
        pins = {pin: named.get(bit[0], bit[0]) for pin, bit in cell["connections"].items()}
        used = r"AD[AB]\d+|DI[AB]\d+|DO[AB]\d+|[CW]E[AB]"
        seen.append(
            {
                pin: net
                for pin, net in pins.items()
                # What is not used is 0, unknown or a net that leads nowhere.
                if re.fullmatch(used, pin) and (isinstance(net, tuple) or net == "1")
            }
        )
        contents.append(
            {
                row: value.replace("x", "0").rjust(320, "0")
                for row, value in cell["parameters"].items()
                if row.startswith("INITVAL")
            }
        )
    assert seen[0] == seen[1]
    assert len(contents[0]) == 64
    assert contents[0] == contents[1]


BENCH = """\
module bench;
  reg clk = 0;
  reg [{total}:0] stimuli [0:{last}];
  reg [{total}:0] ports = 0;
  wire [{width} - 1:0] word;
  integer n;
  top dut(.clk(clk), .rst(1'b0), .word(word), .write_enable(ports[0]), .enable(ports[1]),
    .write_address(ports[3 +: {bits}]), .address(ports[3 + {bits} +: {bits}]),
    .data(ports[3 + 2 * {bits} +: {width}]){more});
  initial begin
    $readmemh("stimuli.hex", stimuli);
    for (n = 0; n <= {last}; n = n + 1) begin
      ports = stimuli[n];
      #1 $display("%h", word);
      clk = 1; #1 clk = 0;
    end
  end
endmodule
"""


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus is not installed")
@pytest.mark.parametrize(("depth", "width"), [(9001, 2), (300, 40)])
@pytest.mark.parametrize("options", OPTIONS)
def test_the_model_in_verilog_equals_a_list(depth, width, options, tmp_path):
    memory = RegisteredMemory(depth, width, target="ecp5", **options)
    verilog = emit_verilog(memory, "top").verilog
    assert "DP16KD" in verilog
    accesses = make_accesses(depth, width, own="register_enable" in options)
    bits = (depth - 1).bit_length()
    flags = ("write_enable", 1), ("enable", 1), ("register_enable", 1)
    fields = *flags, ("write_address", bits), ("address", bits)
    lines = []
    for ports in ports_of(accesses, width):
        place = value = 0
        for name, size in (*fields, ("data", width)):
            value |= ports[name] << place
            place += size
        lines.append(f"{value:x}\n")
    bench = BENCH.format(
        total=2 + 2 * bits + width, last=len(lines) - 1, width=width, bits=bits,
        more=", .register_enable(ports[2])" if "register_enable" in options else "",
    )
    (tmp_path / "stimuli.hex").write_text("".join(lines))
    (tmp_path / "top.v").write_text(verilog + bench)
    subprocess.run(
        ["iverilog", "-g2001", "-s", "bench", "-o", "bench.vvp", "top.v"], cwd=tmp_path, check=True
    )
    said = subprocess.run(
        ["vvp", "-n", "bench.vvp"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout.split()
    given = [None if re.search("[xX]", word) else int(word, 16) for word in said]
    check(given, accesses, width, late=int("spread" in options))
