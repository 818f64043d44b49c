"""Adders and look-up tables in Xilinx's LUT6_2, CARRY4 (7 series) and CARRY8 (UltraScale+).

A slot is a LUT6_2 and its place in the carry chain: sum is ``O6 ^ carry``, carry out ``O6 ? carry :
DI``, where DI is O5 or a signal from outside.  With I5 tied to 1, O5 and O6 are functions of five
inputs.  A slot adds three terms of four inputs in all: O5 is their majority, which the next slot
takes as its fifth input and as DI; O6 is their parity and that fifth input's.  Of one or two terms
it adds alone, O5 is the first, and DI.

Every adder is a chain of its own: a carry comes in and leaves beside the slots.
"""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...plan.bit_heap import Adder, Term, majorities
from ...plan.carry_cells import CELLS, share_tables
from .generic import term_value
from .tables import table_verilog

__all__ = ["CarryChain", "Tables", "add_with", "chain_verilog", "look_up", "tables_verilog"]


def add_with(family: str):
    """The function ``add`` of a family, ``xc7`` or ``xcup``; see the package."""

    def add(m: Module, adders: tuple[Adder, ...], values: dict, name: str) -> dict:
        sums = {}
        for number, adder in enumerate(adders):
            chain = CarryChain(family, *_tables(adder))
            m.submodules[f"{name}_{number}"] = chain
            pins = [_pins(terms[:3]) for terms in adder.terms]
            for port, pin in ((chain.a, 0), (chain.b, 1), (chain.c, 2), (chain.d, 3)):
                bits = [values[slot[pin]] if pin < len(slot) else C(1, 1) for slot in pins]
                m.d.comb += port.eq(Cat(bits))
            if len(adder.terms[0]) > 3:
                m.d.comb += chain.second.eq(term_value(adder.terms[0][3], values))
            if adder.carry is not None:
                m.d.comb += chain.carry.eq(term_value(adder.carry, values))
            sums |= dict(zip(adder.sums, chain.s))
        return sums

    return add


def _pins(terms):
    return list(dict.fromkeys(bit for term in terms for bit in term.inputs))


def _tables(adder):
    """Parity and majority of every slot, and whether the latter goes to the next one."""
    seconds = majorities(adder.terms)
    parity, other = [], []
    for terms, second in zip(adder.terms, seconds):
        terms = terms[:3]
        pins = _pins(terms)
        if len(pins) > 4:
            raise ValueError(f"Terms of a slot must have up to four inputs, not {terms}")
        counts = []
        for n in range(16):
            values = {bit: n >> k & 1 for k, bit in enumerate(pins)}
            bits = [term.compute(values) for term in terms]
            counts.append((sum(bits), sum(bits) >> 1 if second else sum(bits[:1])))
        parity.append(sum((total & 1) << n for n, (total, _) in enumerate(counts)))
        other.append(sum(bit << n for n, (_, bit) in enumerate(counts)))
    return tuple(parity), tuple(other), tuple(seconds)


class CarryChain(wiring.Component):
    """Slots on one chain; combinational.

    Generated Verilog has the vendor's cells (:func:`chain_verilog`); on any other platform the
    same tables are computed word by word.

    Parameters
    ----------
    family : ``xc7`` or ``xcup``.
    parity, other : truth tables of every slot, of its inputs a, b, c and d: of O6, but for the
        fifth input, and of O5.
    seconds : of every slot, whether O5 goes to the next one, and the fifth input to DI.

    Members
    -------
    a, b, c, d : inputs, a bit per slot.
    second, carry : fifth input of the lowest slot, and its carry.
    s : sums, then the carry out and O5 of the highest slot.
    """

    def __init__(self, family, parity, other, seconds):
        self._family = family
        self._parity = parity
        self._other = other
        self._seconds = seconds
        size = len(parity)
        ports = {port: In(size) for port in "abcd"}
        super().__init__({**ports, "second": In(1), "carry": In(1), "s": Out(size + 2)})

    def elaborate(self, platform):
        m = Module()
        size = len(self._parity)
        seconds = C(sum(second << k for k, second in enumerate(self._seconds)), size)
        ports = (self.a, self.b, self.c, self.d)
        if platform == "verilog":
            m.submodules.chain = Instance(
                f"{self._family}_chain_{size}",
                p_PARITY=_word(self._parity, 16),
                p_OTHER=_word(self._other, 16),
                p_SECONDS=seconds,
                **{f"i_{port}": value for port, value in zip("ABCD", ports)},
                i_E=self.second,
                i_CI=self.carry,
                o_S=self.s,
            )
            return m
        parity, other = (_look_up(tables, 16, ports) for tables in (self._parity, self._other))
        o5, o6, fifth, di = (Signal(size) for _ in range(4))
        m.d.comb += [
            o5.eq(other),
            fifth.eq(Cat(self.second, (o5 & seconds)[:-1])),
            o6.eq(parity ^ fifth),
            di.eq((fifth & seconds) | (o5 & ~seconds)),
            # Bits that pass a carry on, and bits that make one: their sum has the carries.
            self.s[:-1].eq((o6 | di) + (di & ~o6) + self.carry),
            self.s[-1].eq(o5[-1]),
        ]
        return m


def _word(tables, rows):
    return Const(sum(table << (rows * k) for k, table in enumerate(tables)), rows * len(tables))


def _look_up(tables, rows, ports):
    """Bits of ``tables``, each with its bit of every port."""
    words = [C(sum((t >> k & 1) << n for n, t in enumerate(tables)), len(tables))
             for k in range(rows)]  # fmt: skip
    for port in ports:
        words = [(low & ~port) | (high & port) for low, high in zip(words[::2], words[1::2])]
    return words[0]


def look_up(m: Module, functions: tuple[tuple[int, Term], ...], values: dict, name: str) -> dict:
    """See :mod:`fxhw.gateware.primitives`."""
    limit = CELLS["xcup"].shared_inputs
    wide = [function for function in functions if len(function[1].inputs) > limit]
    made = {bit: term_value(term, values) for bit, term in wide}
    groups = share_tables([function for function in functions if function not in wide], limit)
    if not groups:
        return made
    luts = Tables([[_table(term, _group_pins(group)) for _, term in group] for group in groups])
    m.submodules[name] = luts
    for index, port in enumerate(luts.ports):
        pins = [_group_pins(group) for group in groups]
        m.d.comb += port.eq(
            Cat(values[group[index]] if index < len(group) else C(0, 1) for group in pins)
        )
    for index, group in enumerate(groups):
        for (bit, _), outputs in zip(group, (luts.o6, luts.o5)):
            made[bit] = outputs[index]
    return made


def _group_pins(group):
    return _pins([term for _, term in group])


def _table(term, pins):
    """Truth table of 32 rows of ``term``, whose inputs are among ``pins``."""
    table = 0
    for n in range(32):
        table |= term.compute({bit: n >> k & 1 for k, bit in enumerate(pins)}) << n
    return table


class Tables(wiring.Component):
    """LUT6_2s side by side; combinational.

    Parameters
    ----------
    tables : of every LUT6_2, the truth tables of O6 and, if it is used, O5.

    Members
    -------
    a, b, c, d, e : inputs, a bit per LUT6_2.
    o5, o6 : outputs.
    """

    def __init__(self, tables):
        self._o6 = [table[0] for table in tables]
        self._o5 = [table[-1] for table in tables]
        size = len(tables)
        super().__init__(
            {**{port: In(size) for port in "abcde"}, "o5": Out(size), "o6": Out(size)}
        )

    @property
    def ports(self):
        """The inputs, lowest first."""
        return self.a, self.b, self.c, self.d, self.e

    def elaborate(self, platform):
        m = Module()
        if platform == "verilog":
            m.submodules.tables = Instance(
                f"xilinx_tables_{len(self._o6)}",
                p_HIGH=_word(self._o6, 32),
                p_LOW=_word(self._o5, 32),
                **{f"i_{port}": value for port, value in zip("ABCDE", self.ports)},
                o_O5=self.o5,
                o_O6=self.o6,
            )
            return m
        m.d.comb += [
            self.o6.eq(_look_up(self._o6, 32, self.ports)),
            self.o5.eq(_look_up(self._o5, 32, self.ports)),
        ]
        return m


_CARRY = {
    "xc7": (4, "CARRY4", ".CI(first ? 1'b0 : co[i]), .CYINIT(first ? CI : 1'b0)"),
    "xcup": (8, "CARRY8", ".CI(first ? CI : co[i]), .CI_TOP(1'b0)"),
}


def chain_verilog(name: str, family: str, size: int) -> str:
    """Module ``name``: a chain of ``size`` slots.

    It is made of the vendor's cells where the macro SYNTHESIS is defined, which Yosys does by
    itself, and is a model of them otherwise, so that simulators need no vendor library.
    """
    step, cell, ends = _CARRY[family]
    places = -(-size // step) * step
    parity_text, parity = table_verilog("PARITY", 16, size, "ABCD")
    other_text, other = table_verilog("OTHER", 16, size, "ABCD")
    pad = f"{{{places - size}'b0, o6}}" if places > size else "o6"
    pad_di = f"{{{places - size}'b0, di}}" if places > size else "di"
    below = f"{{o5[{size - 2}:0] & SECONDS[{size - 2}:0], E}}" if size > 1 else "E"
    return f"""\
module {name}(A, B, C, D, E, CI, S);
  parameter [{16 * size - 1}:0] PARITY = 0;
  parameter [{16 * size - 1}:0] OTHER = 0;
  parameter [{size - 1}:0] SECONDS = 0;
  input [{size - 1}:0] A, B, C, D;
  input E, CI;
  output [{size + 1}:0] S;
`ifdef SYNTHESIS
  wire [{size - 1}:0] o5, o6;
  wire [{size - 1}:0] fifth = {below};
  wire [{size - 1}:0] di = fifth & SECONDS | o5 & ~SECONDS;
  wire [{places - 1}:0] s = {pad};
  wire [{places - 1}:0] g = {pad_di};
  wire [{places - 1}:0] o;
  wire [{places}:0] co;
  assign co[0] = 1'b0;
  assign S = {{o5[{size - 1}], co[{size}], o[{size - 1}:0]}};
  genvar i;
  generate for (i = 0; i < {size}; i = i + 1) begin : slots
    LUT6_2 #(
      .INIT({{~PARITY[16 * i +: 16], PARITY[16 * i +: 16], {{2{{OTHER[16 * i +: 16]}}}}}})
    ) lut_i (
      .I0(A[i]), .I1(B[i]), .I2(C[i]), .I3(D[i]), .I4(fifth[i]), .I5(1'b1),
      .O5(o5[i]), .O6(o6[i])
    );
  end endgenerate
  generate for (i = 0; i < {places}; i = i + {step}) begin : carries
    localparam first = i == 0;
    {cell} carry_i (
      {ends},
      .DI(g[i +: {step}]), .S(s[i +: {step}]), .O(o[i +: {step}]), .CO(co[i + 1 +: {step}])
    );
  end endgenerate
`else
{parity_text}{other_text}\
  wire [{size - 1}:0] o5 = {other};
  wire [{size - 1}:0] fifth = {below};
  wire [{size - 1}:0] o6 = {parity} ^ fifth;
  wire [{size - 1}:0] di = fifth & SECONDS | o5 & ~SECONDS;
  wire [{size}:0] sum = {{1'b0, o6 | di}} + {{1'b0, di & ~o6}} + {{{size}'b0, CI}};
  assign S = {{o5[{size - 1}], sum}};
`endif
endmodule
"""


def tables_verilog(name: str, size: int) -> str:
    """Module ``name``: ``size`` LUT6_2s; see :func:`chain_verilog`."""
    high_text, high = table_verilog("HIGH", 32, size, "ABCDE")
    low_text, low = table_verilog("LOW", 32, size, "ABCDE")
    return f"""\
module {name}(A, B, C, D, E, O5, O6);
  parameter [{32 * size - 1}:0] HIGH = 0;
  parameter [{32 * size - 1}:0] LOW = 0;
  input [{size - 1}:0] A, B, C, D, E;
  output [{size - 1}:0] O5, O6;
`ifdef SYNTHESIS
  genvar i;
  generate for (i = 0; i < {size}; i = i + 1) begin : tables
    LUT6_2 #(.INIT({{HIGH[32 * i +: 32], LOW[32 * i +: 32]}})) lut_i (
      .I0(A[i]), .I1(B[i]), .I2(C[i]), .I3(D[i]), .I4(E[i]), .I5(1'b1),
      .O5(O5[i]), .O6(O6[i])
    );
  end endgenerate
`else
{high_text}{low_text}\
  assign O6 = {high};
  assign O5 = {low};
`endif
endmodule
"""
