"""Adders in ECP5's carry cells, CCU2C.

Half a CCU2C, called a slot here, has a LUT4 of inputs A, B, C and D and a second table of A and
B, the first four bits of the LUT4's.  Sum is ``LUT4 ^ carry``, carry out ``LUT4 ? carry :
table2``, with both INJECT parameters "NO".  So a slot adds two terms of up to four inputs in all,
if the second table can be what the carry is where the terms are equal.

Adders lie end to end on chains.  The slot between two has a LUT4 that is 0 for all inputs, C being
tied to 1: its sum is the carry out of the one adder, and its second table makes the carry in of the
next.  No carry passes it, though timing analysis believes so; chains are short enough for that.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...plan.bit_heap import Adder, Term
from .chains import pack_chains
from .generic import look_up
from .tables import table_verilog

__all__ = [
    "CHAIN_SLOTS",
    "CarryChain",
    "Slot",
    "add",
    "add_slot",
    "carry_slot",
    "chain_verilog",
    "look_up",
]

CHAIN_SLOTS = 32
"""Slots on one chain, at most, unless one adder takes more."""


@dataclass(frozen=True)
class Slot:
    """Half a CCU2C.

    Parameters
    ----------
    init : the LUT4's truth table.
    pins : what A, B, C and D are tied to: the number of a bit, or True or False for a constant.
    result : number of the bit that the sum output is, or None.
    """

    init: int
    pins: tuple[int | bool, ...]
    result: int | None = None


def add_slot(terms: tuple[Term, ...], result: int | None = None) -> Slot:
    """The slot that adds one or two ``terms``.

    Raises
    ------
    ValueError if no assignment of pins makes one.
    """
    first, second = (*terms, Term(0, ()))[:2]
    made = _assign(first.table, len(first.inputs), second.table, len(second.inputs))
    if made is None:
        raise ValueError(f"Terms of a carry cell must fit its second table, not {terms}")
    init, pins = made
    inputs = (*first.inputs, *second.inputs)
    return Slot(init, tuple(pin if pin is True else inputs[pin] for pin in pins), result)


@lru_cache(maxsize=256)
def _assign(table1, count1, table2, count2):
    """LUT4 table and pins for two terms; a pin is the number of an input, or True."""
    count = count1 + count2
    if count > 4:
        return None
    for pins in permutations([*range(count), *[True] * (4 - count)]):
        init = _fill(table1, count1, table2, pins)
        if init is not None:
            return init, pins
    return None


def _fill(table1, count1, table2, pins):
    """LUT4 table for ``pins``, or None if the second table would have to differ from it."""
    lut, carry = {}, {}
    for n in range(16):
        levels = [n >> k & 1 for k in range(4)]
        if any(pin is True and not level for pin, level in zip(pins, levels)):
            continue
        inputs = sum(level << pin for pin, level in zip(pins, levels) if pin is not True)
        first = table1 >> (inputs & ((1 << count1) - 1)) & 1
        second = table2 >> (inputs >> count1) & 1
        lut[n] = first ^ second
        if first == second and carry.setdefault(n & 3, first) != first:
            return None
    if any(lut.get(n, value) != value for n, value in carry.items()):
        return None
    return sum(value << n for n, value in (carry | lut).items())


def carry_slot(term: Term | None, result: int | None = None) -> Slot:
    """The slot that gives out the carry below it and takes ``term`` in as the carry above it.

    Raises
    ------
    ValueError if the term has more than two inputs.
    """
    term = term or Term(0, ())
    count = len(term.inputs)
    if count > 2:
        raise ValueError(f"Term of a carry must have up to two inputs, not {term}")
    table = sum((term.table >> (n & ((1 << count) - 1)) & 1) << n for n in range(4))
    pins = (*term.inputs, *[True] * (2 - count), True, True)
    return Slot(table, pins, result)


def chains_of(adders: tuple[Adder, ...]) -> list[list[Slot]]:
    """The adders on chains, each of an even number of slots."""
    chains = pack_chains(adders, add_slot, carry_slot, CHAIN_SLOTS, even=True)
    return [[*slots, carry_slot(None)] if len(slots) % 2 else slots for slots in chains]


def add(m: Module, adders: tuple[Adder, ...], values: dict, name: str) -> dict:
    """See :mod:`fxhw.gateware.primitives`."""
    sums = {}
    for number, slots in enumerate(chains_of(adders)):
        chain = CarryChain(tuple(slot.init for slot in slots))
        m.submodules[f"{name}_{number}"] = chain
        for port, pin in ((chain.a, 0), (chain.b, 1), (chain.c, 2), (chain.d, 3)):
            bits = [
                C(pins, 1) if isinstance(pins, bool) else values[pins]
                for pins in (slot.pins[pin] for slot in slots)
            ]
            m.d.comb += port.eq(Cat(bits))
        sums |= {slot.result: s for slot, s in zip(slots, chain.s) if slot.result is not None}
    return sums


class CarryChain(wiring.Component):
    """Slots on one chain; combinational.

    Generated Verilog has the vendor's cells (:func:`chain_verilog`); on any other platform, that
    is in Amaranth's simulator and in proofs, the same tables are computed word by word.

    Parameters
    ----------
    inits : truth table of every slot's LUT4; an even number of slots.

    Members
    -------
    a, b, c, d : inputs, a bit per slot.
    s : sums.
    """

    def __init__(self, inits: tuple[int, ...]):
        if len(inits) % 2:
            raise ValueError(f"Carry chain must have an even number of slots, not {len(inits)}")
        self._inits = inits
        size = len(inits)
        super().__init__({**{port: In(size) for port in "abcd"}, "s": Out(size)})

    def elaborate(self, platform):
        m = Module()
        size = len(self._inits)
        if platform == "verilog":
            init = Const(sum(n << (16 * k) for k, n in enumerate(self._inits)), 16 * size)
            m.submodules.chain = Instance(
                f"ecp5_chain_{size}",
                p_INIT=init,
                i_A=self.a,
                i_B=self.b,
                i_C=self.c,
                i_D=self.d,
                o_S=self.s,
            )
            return m
        rows = [C(sum((n >> k & 1) << i for i, n in enumerate(self._inits)), size)
                for k in range(16)]  # fmt: skip
        lut = self._table(rows, (self.a, self.b, self.c, self.d))
        carry = self._table(rows[:4], (self.a, self.b))
        # Bits that pass a carry on, and bits that make one: their sum has the slots' carries.
        m.d.comb += self.s.eq((lut | carry) + (carry & ~lut))
        return m

    @staticmethod
    def _table(rows, ports):
        for port in ports:
            rows = [(low & ~port) | (high & port) for low, high in zip(rows[::2], rows[1::2])]
        return rows[0]


def chain_verilog(name: str, size: int) -> str:
    """Module ``name``: a chain of ``size`` slots.

    It is made of CCU2C where the macro SYNTHESIS is defined, which Yosys does by itself, and is a
    model of them otherwise, so that simulators need no vendor library.
    """
    text, lut = table_verilog("INIT", 16, size, "ABCD")
    _, carry = table_verilog("INIT", 4, size, "AB")
    return f"""\
module {name}(A, B, C, D, S);
  parameter [{16 * size - 1}:0] INIT = 0;
  input [{size - 1}:0] A, B, C, D;
  output [{size - 1}:0] S;
`ifdef SYNTHESIS
  wire [{size // 2}:0] carry;
  assign carry[0] = 1'b0;
  genvar i;
  generate for (i = 0; i < {size}; i = i + 2) begin : cells
    CCU2C #(
      .INIT0(INIT[16 * i +: 16]), .INIT1(INIT[16 * i + 16 +: 16]),
      .INJECT1_0("NO"), .INJECT1_1("NO")
    ) cell_i (
      .CIN(carry[i / 2]), .COUT(carry[i / 2 + 1]),
      .A0(A[i]), .B0(B[i]), .C0(C[i]), .D0(D[i]), .S0(S[i]),
      .A1(A[i + 1]), .B1(B[i + 1]), .C1(C[i + 1]), .D1(D[i + 1]), .S1(S[i + 1])
    );
  end endgenerate
`else
{text}\
  wire [{size - 1}:0] lut = {lut};
  wire [{size - 1}:0] carry = {carry};
  assign S = (lut | carry) + (carry & ~lut);
`endif
endmodule
"""
