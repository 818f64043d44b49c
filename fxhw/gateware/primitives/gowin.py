"""Adders in Gowin's ALU cells.

An ALU has fixed modes.  Sum is ``S ^ CIN`` and carry out ``S ? CIN : I0`` in all that are used
here; S is

* ADD: ``I0 ^ I1``, which adds two bits;
* ADDSUB: ``I0 ^ ~I1 ^ I3``, which adds a bit and the equivalence of two;
* MULT: ``(I0 & I1) ^ I3``, with ``I0 & I1`` in the place of I0: a bit and the product of two.

Adders lie end to end on chains; between two, MULT of a bit, 1 and the bit again has S at 0: its
sum is the carry of the one adder, its carry the bit.
"""

from dataclasses import dataclass

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...plan.bit_heap import Adder, Term
from .chains import pack_chains
from .generic import look_up, term_value

__all__ = ["CHAIN_CELLS", "AluChain", "Cell", "add", "add_cell", "chain_verilog", "look_up"]

CHAIN_CELLS = 48
"""Cells on one chain, at most, unless one adder takes more."""

ADD, ADDSUB, MULT = 0, 2, 9
"""Modes, as numbered by the vendor."""

_BIT, _AND, _XNOR = 0b10, 0b1000, 0b1001


@dataclass(frozen=True)
class Cell:
    """One ALU.

    Parameters
    ----------
    mode : how it works.
    pins : terms at I0, I1 and I3.
    result : number of the bit that the sum output is, or None.
    """

    mode: int
    pins: tuple[Term, Term, Term]
    result: int | None = None


_ZERO, _ONE = Term(0, ()), Term(1, ())


def add_cell(terms: tuple[Term, ...], result: int | None = None) -> Cell:
    """The cell that adds up to two ``terms``; what it cannot form is left to a look-up table."""
    for first, second in ((0, 1), (1, 0)):
        formed, other = (*terms, _ZERO, _ZERO)[first], (*terms, _ZERO, _ZERO)[second]
        if len(formed.inputs) == 2 and formed.table in (_AND, _XNOR):
            x, y = (Term(_BIT, (bit,)) for bit in formed.inputs)
            if formed.table == _AND:
                return Cell(MULT, (x, y, other), result)
            return Cell(ADDSUB, (other, x, y), result)
    return Cell(ADD, (*(*terms, _ZERO, _ZERO)[:2], _ZERO), result)


def carry_cell(term: Term | None, result: int | None = None) -> Cell:
    """The cell that gives out the carry below it and takes ``term`` in as the carry above it."""
    term = term or _ZERO
    return Cell(MULT, (term, _ONE, term), result)


def add(m: Module, adders: tuple[Adder, ...], values: dict, name: str) -> dict:
    """See :mod:`fxhw.gateware.primitives`."""
    sums = {}
    for number, cells in enumerate(pack_chains(adders, add_cell, carry_cell, CHAIN_CELLS)):
        chain = AluChain(tuple(cell.mode for cell in cells))
        m.submodules[f"{name}_{number}"] = chain
        for pin, port in enumerate((chain.i0, chain.i1, chain.i3)):
            m.d.comb += port.eq(Cat(term_value(cell.pins[pin], values) for cell in cells))
        sums |= {cell.result: s for cell, s in zip(cells, chain.s) if cell.result is not None}
    return sums


class AluChain(wiring.Component):
    """ALUs on one chain; combinational.

    Generated Verilog has the vendor's cells (:func:`chain_verilog`); on any other platform they
    are computed word by word.

    Parameters
    ----------
    modes : of every ALU.

    Members
    -------
    i0, i1, i3 : inputs, a bit per ALU.
    s : sums.
    """

    def __init__(self, modes: tuple[int, ...]):
        self._modes = modes
        size = len(modes)
        super().__init__({**{port: In(size) for port in ("i0", "i1", "i3")}, "s": Out(size)})

    def elaborate(self, platform):
        m = Module()
        size = len(self._modes)
        if platform == "verilog":
            m.submodules.chain = Instance(
                f"gowin_chain_{size}",
                p_MODES=Const(sum(n << (4 * k) for k, n in enumerate(self._modes)), 4 * size),
                i_I0=self.i0,
                i_I1=self.i1,
                i_I3=self.i3,
                o_S=self.s,
            )
            return m
        mult, addsub = (
            C(sum((mode == wanted) << k for k, mode in enumerate(self._modes)), size)
            for wanted in (MULT, ADDSUB)
        )
        carry, s = Signal(size), Signal(size)
        m.d.comb += [
            carry.eq(self.i0 & (self.i1 | ~mult)),
            s.eq(carry ^ (self.i1 & ~mult) ^ (self.i3 & mult) ^ (~self.i3 & addsub)),
            # Bits that pass a carry on, and bits that make one: their sum has the carries.
            self.s.eq((s | carry) + (carry & ~s)),
        ]
        return m


def chain_verilog(name: str, size: int) -> str:
    """Module ``name``: a chain of ``size`` ALUs.

    It is made of the vendor's cells where the macro SYNTHESIS is defined, which Yosys does by
    itself, and is a model of them otherwise, so that simulators need no vendor library.
    """
    return f"""\
module {name}(I0, I1, I3, S);
  parameter [{4 * size - 1}:0] MODES = 0;
  input [{size - 1}:0] I0, I1, I3;
  output [{size - 1}:0] S;
`ifdef SYNTHESIS
  wire [{size}:0] carry;
  assign carry[0] = 1'b0;
  genvar i;
  generate for (i = 0; i < {size}; i = i + 1) begin : cells
    ALU #(.ALU_MODE(MODES[4 * i +: 4])) cell_i (
      .CIN(carry[i]), .COUT(carry[i + 1]), .I0(I0[i]), .I1(I1[i]), .I3(I3[i]), .SUM(S[i])
    );
  end endgenerate
`else
  function [{size - 1}:0] are(input integer mode);
    integer n;
    for (n = 0; n < {size}; n = n + 1) are[n] = MODES[4 * n +: 4] == mode;
  endfunction
  localparam [{size - 1}:0] MULT = are({MULT});
  localparam [{size - 1}:0] ADDSUB = are({ADDSUB});
  wire [{size - 1}:0] carry = I0 & (I1 | ~MULT);
  wire [{size - 1}:0] s = carry ^ (I1 & ~MULT) ^ (I3 & MULT) ^ (~I3 & ADDSUB);
  assign S = (s | carry) + (carry & ~s);
`endif
endmodule
"""
