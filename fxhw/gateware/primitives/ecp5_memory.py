"""Memory with a register behind it in ECP5's block RAM, DP16KD.

A block gives a word 5.7 ns after the clock edge (nextpnr, speed grade 6), which leaves little of
an 8 ns cycle for the way to a register in the fabric.  Its own output register gives it in 1 ns,
but Yosys does not put one there.

Blocks lie side by side.  Port A writes and port B reads; words of 36 bits take both data ports,
where the byte enables are the write enable.  The read enable opens the latch and the output
register: sources differ on whether the block's clock enable holds the register as well, and so it
does not matter.  The block's reset is not used: if it clears the latch before the register, too,
the next word is lost.

A queue's memory opens the output register by an enable of its own, and never the register alone:
sources do agree on what happens then.

The blocks of a memory that is spread have registers in front, a set for every few blocks, which
are marked so that Yosys does not make one of them.
"""

from ...plan.memory_banks import BLOCK_SHAPES
from ..memory_marks import ATTRIBUTE, MARKS

__all__ = ["block_columns", "content_files", "fits_blocks", "memory_verilog"]

_SHAPES = BLOCK_SHAPES["ecp5"]
_BOTH_PORTS = 36
"""Bits of a word that takes the data pins of both ports."""

_ROWS = 64
"""Parameters INITVAL_00 and on of a block, each for 16 words of 18 bits, 20 bits apart."""

_TOGETHER = 8
"""Blocks of a spread memory that have registers in common."""

_SMALL = 32
"""Memories of 16x4 bits, in look-up tables, that Yosys takes rather than a block."""


def fits_blocks(depth: int, width: int) -> bool:
    """Whether a memory is small enough for blocks side by side, and large enough to be worth them.

    Yosys draws the line to look-up tables at the same place.
    """
    if depth > _SHAPES[0][0]:
        return False
    return -(-depth // 16) * -(-width // 4) > _SMALL * block_columns(depth, width)[0]


def block_columns(depth: int, width: int) -> tuple[int, int]:
    """(blocks side by side, bits of each) for ``depth`` words of ``width`` bits.

    Raises
    ------
    ValueError if no block is as deep.
    """
    bits = max((bits for words, bits in _SHAPES if words >= depth), default=0)
    if not bits:
        raise ValueError(f"Memory must have at most {_SHAPES[0][0]} words, not {depth}")
    return -(-width // bits), bits


def content_files(source: str, depth: int, width: int, words: tuple[int, ...]) -> dict[str, str]:
    """Files ``source``, name -> text, of initial words: for simulators, and for the blocks."""
    columns, bits = block_columns(depth, width)
    # A block of narrow words has a spare bit beside every byte.
    unit, place = (8, 9) if bits < 9 else (9, 9)
    rows = [0] * _ROWS
    for column in range(columns):
        line = sum(
            (word >> (bits * column) & ((1 << bits) - 1)) << (bits * n)
            for n, word in enumerate(words)
        )
        for n in range(_ROWS * 32):
            value = line >> (unit * n) & ((1 << unit) - 1)
            rows[n // 32] |= value << (320 * column + 20 * (n % 32 // 2) + place * (n % 2))
    size = 320 * columns
    return {
        f"{source}.mem": "".join(f"{word:0{-(-width // 4)}x}\n" for word in words),
        f"{source}.vh": "".join(
            f"localparam [{size - 1}:0] INIT_{n:02X} = {size}'h{row:0{size // 4}x};\n"
            for n, row in enumerate(rows)
        ),
    }


def memory_verilog(name: str, depth: int, width: int, source: str, kind: str) -> str:
    """Module ``name``: a memory with a register behind it, with the contents called ``source``,
    if any.

    A ``memory``, a ``spread_memory``, which has registers before it, or a ``queue_memory``, whose
    register has an enable of its own.

    It is made of DP16KD where the macro SYNTHESIS is defined, which Yosys does by itself, and is a
    model of them otherwise, so that simulators need no vendor library.
    """
    spread, queue = kind == "spread_memory", kind == "queue_memory"
    columns, bits = block_columns(depth, width)
    padding = columns * bits - width
    zeros = f"{padding}'b0, " if padding else ""
    places = max(1, (depth - 1).bit_length())
    used = _address_bits(bits)
    fill = f"{used - places}'b0, " if used > places else ""
    # Half of a word of both ports comes from port A's register.
    opens = "OE" if queue else "re"
    own_enable = opens if bits == _BOTH_PORTS else "1'b1"
    include = f'  `include "{source}.vh"\n' if source else ""
    sets = -(-columns // _TOGETHER) if spread else 0
    ways = {port: f"near[i / {_TOGETHER}].{port.lower()}" if spread else port
            for port in ("WE", "RE", "WA", "RA")}
    before, kept = ("D", "") if not spread else ("d_near", _registers(sets, places, width))
    we, re, wa, ra, d = ("_we", "_re", "_wa", "_ra", "_d") if spread else "WE RE WA RA D".split()
    read = f'  initial $readmemh("{source}.mem", stored);\n' if source else ""
    return f"""\
module {name}(CLK, WE, WA, D, RE, {"OE, " if queue else ""}RA, Q);
  input CLK, WE, RE{", OE" if queue else ""};
  input [{places - 1}:0] WA, RA;
  input [{width - 1}:0] D;
  output [{width - 1}:0] Q;
`ifdef SYNTHESIS
{kept}\
  wire [{columns * bits - 1}:0] d = {{{zeros}{before}}};
  wire [{columns * bits - 1}:0] q;
  assign Q = q[{width - 1}:0];
{include}\
  genvar i;
  generate for (i = 0; i < {columns}; i = i + 1) begin : blocks
    wire we = {ways["WE"]}, re = {ways["RE"]};
    wire [{used - 1}:0] wa = {{{fill}{ways["WA"]}}};
    wire [{used - 1}:0] ra = {{{fill}{ways["RA"]}}};
    DP16KD #(
{_rows() if source else ""}\
      .DATA_WIDTH_A({bits}), .DATA_WIDTH_B({bits}),
      .REGMODE_A("{"OUTREG" if bits == _BOTH_PORTS else "NOREG"}"), .REGMODE_B("OUTREG"),
      .WRITEMODE_A("NORMAL"), .WRITEMODE_B("NORMAL"),
      .RESETMODE("SYNC"), .ASYNC_RESET_RELEASE("SYNC"), .GSR("DISABLED")
    ) block_i (
      .CLKA(CLK), .CEA(1'b1), .OCEA({own_enable}), .RSTA(1'b0),
      .CSA0(1'b0), .CSA1(1'b0), .CSA2(1'b0),
      .CLKB(CLK), .CEB(re), .OCEB({opens}), .RSTB(1'b0), .CSB0(1'b0), .CSB1(1'b0), .CSB2(1'b0),
{_pins(bits)}
    );
  end endgenerate
`else
  {MARKS[ATTRIBUTE]}
  reg [{width - 1}:0] stored [0:{depth - 1}];
  reg [{width - 1}:0] latch, word;
{read}\
{_delays(places, width) if spread else ""}\
  always @(posedge CLK) begin
    if ({we})
      stored[{wa}] <= {d};
    if ({re}) latch <= stored[{ra}];
    if ({"OE" if queue else re}) word <= latch;
  end
  assign Q = word;
`endif
endmodule
"""


def _registers(sets: int, places: int, width: int) -> str:
    """Registers in front of blocks, which are not to be made one."""
    return f"""\
  reg [{width - 1}:0] d_near;
  (* keep *) always @(posedge CLK) d_near <= D;
  genvar g;
  generate for (g = 0; g < {sets}; g = g + 1) begin : near
    reg we, re;
    reg [{places - 1}:0] wa, ra;
    (* keep *) always @(posedge CLK) begin
      we <= WE; re <= RE; wa <= WA; ra <= RA;
    end
  end endgenerate
"""


def _delays(places: int, width: int) -> str:
    """The same in the model."""
    return f"""\
  reg _we, _re;
  reg [{places - 1}:0] _wa, _ra;
  reg [{width - 1}:0] _d;
  always @(posedge CLK) begin
    _we <= WE; _re <= RE; _wa <= WA; _ra <= RA; _d <= D;
  end
"""


def _address_bits(bits: int) -> int:
    """Address bits of a block of words of ``bits`` bits."""
    return next((words - 1).bit_length() for words, each in _SHAPES if each == bits)


def _rows() -> str:
    """Initial contents of the block in column ``i``."""
    names = [f"{n:02X}" for n in range(_ROWS)]
    return "".join(f"      .INITVAL_{n}(INIT_{n}[320 * i +: 320]),\n" for n in names)


def _pins(bits: int) -> str:
    """Address, data and write enables of the block in column ``i``."""
    low = 14 - _address_bits(bits)
    enables = {18: 2, _BOTH_PORTS: 4}.get(bits, 0)
    pins = {"WEA": "1'b1" if bits == _BOTH_PORTS else "we", "WEB": "1'b0"}
    for k in range(14):
        enabled = "we" if k < enables else "1'b0"
        pins[f"ADA{k}"] = enabled if k < low else f"wa[{k - low}]"
        pins[f"ADB{k}"] = "1'b0" if k < low else f"ra[{k - low}]"
    for k in range(18):
        pins[f"DIA{k}"] = f"d[{bits} * i + {k}]" if k < bits else "1'b0"
        pins[f"DIB{k}"] = f"d[{bits} * i + {k + 18}]" if k + 18 < bits else "1'b0"
    for k in range(min(bits, 18)):
        # Of both ports, port A has the low half.
        low_port = "A" if bits == _BOTH_PORTS else "B"
        pins[f"DO{low_port}{k}"] = f"q[{bits} * i + {k}]"
        if bits == _BOTH_PORTS:
            pins[f"DOB{k}"] = f"q[{bits} * i + {k + 18}]"
    words = [f".{pin}({value})" for pin, value in pins.items()]
    lines = [", ".join(words[k : k + 4]) for k in range(0, len(words), 4)]
    return ",\n".join(f"      {line}" for line in lines)
