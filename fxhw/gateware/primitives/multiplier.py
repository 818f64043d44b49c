"""A multiplication in a multiplier block, with the register behind it inside the block.

Left ``*`` and a register, Yosys puts the register into the block on Xilinx 7 series alone;
elsewhere each product would take as many flip-flops as it has bits.  So ECP5 and UltraScale+ have
the cells themselves here; for all other families the two are left to the synthesizer.
"""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["CELLS", "RegisteredMultiplier", "multiplier_verilog"]

CELLS = ("ecp5", "xcup")
"""Families whose cell is here, MULT18X18D and DSP48E2."""


class RegisteredMultiplier(wiring.Component):
    """Product of two unsigned operands that fit a block.

    *Latency*: 1 cycle.  *Throughput*: a product per cycle.

    Parameters
    ----------
    family : whose blocks are used, of :data:`fxhw.plan.packing.MULTIPLIERS`.
    a_bits, b_bits : widths of the operands; ``a`` goes where a block takes more bits.

    Members
    -------
    a, b : operands.
    p : their product, a cycle later.
    """

    def __init__(self, family: str, a_bits: int, b_bits: int):
        self._family = family
        super().__init__({"a": In(a_bits), "b": In(b_bits), "p": Out(a_bits + b_bits)})

    def elaborate(self, platform):
        m = Module()
        if platform == "verilog" and self._family in CELLS:
            m.submodules.cell = Instance(
                f"{self._family}_multiplier_{len(self.a)}x{len(self.b)}",
                i_CLK=ClockSignal(),
                i_A=self.a,
                i_B=self.b,
                o_P=self.p,
            )
            return m
        product = Signal.like(self.p, reset_less=True)
        m.d.sync += product.eq(self.a * self.b)
        m.d.comb += self.p.eq(product)
        return m


def multiplier_verilog(name: str, family: str, a_bits: int, b_bits: int) -> str:
    """Module ``name``: the cell where the macro SYNTHESIS is defined, else ``*`` and a register."""
    cell = _mult18x18d(a_bits, b_bits) if family == "ecp5" else _dsp48e2(a_bits, b_bits)
    return f"""\
module {name}(CLK, A, B, P);
  input CLK;
  input [{a_bits - 1}:0] A;
  input [{b_bits - 1}:0] B;
  output [{a_bits + b_bits - 1}:0] P;
`ifdef SYNTHESIS
{cell}\
`else
  reg [{a_bits + b_bits - 1}:0] product;
  always @(posedge CLK) product <= A * B;
  assign P = product;
`endif
endmodule
"""


def _mult18x18d(a_bits: int, b_bits: int) -> str:
    pins = [
        f".{port}{n}({f'{port}[{n}]' if n < bits else _ZERO})"
        for port, bits in (("A", a_bits), ("B", b_bits)) for n in range(18)
    ]
    pins += [f".P{n}(P[{n}])" for n in range(a_bits + b_bits)]
    pins += [f".{name}({_ZERO})" for name in ("SIGNEDA", "SIGNEDB", "SOURCEA", "SOURCEB", "RST0")]
    pins += [".CLK0(CLK)", ".CE0(1'b1)"]
    return f"""\
  MULT18X18D #(
    .REG_OUTPUT_CLK("CLK0"), .REG_OUTPUT_CE("CE0"), .REG_OUTPUT_RST("RST0")
  ) cell_i (
    {_wrap(pins)}
  );
"""


def _dsp48e2(a_bits: int, b_bits: int) -> str:
    registers = (
        "ACASCREG", "ADREG", "ALUMODEREG", "AREG", "BCASCREG", "BREG", "CARRYINREG",
        "CARRYINSELREG", "CREG", "DREG", "INMODEREG", "MREG", "OPMODEREG",
    )  # fmt: skip
    parameters = [f".{name}(0)" for name in registers]
    parameters += [
        ".PREG(1)", '.USE_MULT("MULTIPLY")', '.USE_SIMD("ONE48")', '.AMULTSEL("A")',
        '.BMULTSEL("B")', '.A_INPUT("DIRECT")', '.B_INPUT("DIRECT")',
    ]
    zeros = {
        "C": 48, "D": 27, "INMODE": 5, "ALUMODE": 4, "CARRYINSEL": 3, "ACIN": 30, "BCIN": 18,
        "PCIN": 48, "CARRYIN": 1, "RSTP": 1,
    }  # fmt: skip
    pins = [
        f".A({{{30 - a_bits}'b0, A}})", f".B({{{18 - b_bits}'b0, B}})", ".P(product)",
        ".OPMODE(9'b000000101)", ".CLK(CLK)", ".CEP(1'b1)",
        *(f".{name}({bits}'b0)" for name, bits in zeros.items()),
    ]
    return f"""\
  wire [47:0] product;
  assign P = product[{a_bits + b_bits - 1}:0];
  DSP48E2 #(
    {_wrap(parameters)}
  ) cell_i (
    {_wrap(pins)}
  );
"""


_ZERO = "1'b0"


def _wrap(parts: list[str]) -> str:
    """``parts`` of a list, some to a line."""
    return ",\n    ".join(", ".join(parts[n : n + 6]) for n in range(0, len(parts), 6))
