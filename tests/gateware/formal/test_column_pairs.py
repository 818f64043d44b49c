# amaranth: UnusedElaboratable=no

"""Stream contract and data of the columns of two pixels, and what the proofs catch.

The contract holds for good (induction), for every shape of the image.  Data are proved for all
words, pauses and stalls of one small image or, for the smallest, of two in a row.
"""

import pytest
from amaranth.hdl import Cat, Const, Module, Mux
from amaranth.lib import wiring

from fxhw.gateware.column_pairs import ColumnPairs

from ..mutants import mutant
from .prover import prove_stream_contract, prove_stream_function
from .starts import idle_start, per_image, started

pytestmark = pytest.mark.formal


class Masked(wiring.Component):
    """A block's pairs, with words of 0 where a pair only completes the pixels before it."""

    def __init__(self, block):
        self.block = block
        super().__init__(block.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = block = self.block
        wiring.connect(m, wiring.flipped(self.i), block.i)
        for name in ("start", "groups", "width", "height"):
            m.d.comb += getattr(block, name).eq(getattr(self, name))
        marks, words = block.o.payload.marks, block.o.payload.words
        m.d.comb += [
            self.busy.eq(block.busy),
            self.o.valid.eq(block.o.valid),
            block.o.ready.eq(self.o.ready),
            self.o.payload.marks.eq(marks),
            self.o.payload.words.eq(Mux(marks.own, words.as_value(), 0)),
        ]
        return m


def count_pairs(height, width, groups):
    """Pairs of an image; behind rows of even width one more completes the last pixel."""
    return groups * (height * -(-width // 2) + (width % 2 == 0))


def pairs(height, width, groups):
    """Pairs of columns of three one-bit words, with their marks."""

    def word(columns, y, x, group, row):
        return columns[(y * width + x) * groups + group][row] if x < width else Const(0, 1)

    def expected(columns):
        made = []
        for y in range(height):
            for x in range(0, width, 2):
                before = x > 0 or width % 2 == 0 and y > 0
                marks = Const(x == 0, 1), Const(before, 1), Const(1, 1)
                for group in range(groups):
                    words = [
                        word(columns, y, x + column, group, row)
                        for row in range(3) for column in range(2)
                    ]
                    made.append(Cat(*words, *marks))
        if width % 2 == 0:
            made += [Cat(Const(0, 6), Const(0b011, 3))] * groups
        return made

    return expected


def test_contract():
    """But for the words of a pair that only completes: they mean nothing, and change."""
    prove_stream_contract(
        Masked(ColumnPairs(2, 3)), {"groups": range(1, 4), "width": None, "height": None},
        assumptions=idle_start("busy"),
    )


def prove_data(block, height, width, groups, images):
    words, outputs = height * width * groups, count_pairs(height, width, groups)
    prove_stream_function(
        Masked(block(1, 2)), images * words,
        lambda columns: per_image(columns, images, pairs(height, width, groups)),
        config={"groups": groups, "width": width, "height": height},
        assumptions=started(outputs, images),
        depth=images * (words + groups + 4) + 2,
        progress=4,  # up to 3 before a start
    )


@pytest.mark.parametrize(
    "size",
    [(1, 1, 1, 2), (1, 2, 1, 2), (2, 1, 1, 1), (2, 2, 1, 1), (1, 3, 1, 1), (1, 2, 2, 1),
     (1, 4, 1, 1)],
    ids=str,
)
def test_data(size):
    prove_data(ColumnPairs, *size)


@pytest.mark.parametrize(
    ("old", "new", "size"),
    [
        ("Mux(single, 0, words[1])", "words[1]", (2, 3, 1, 1)),
        ("& (y != 0)", "", (1, 2, 1, 1)),
        ("(~self.width[0] & (y != 0))", "(y != 0)", (2, 1, 1, 1)),
        ("self.o.payload.marks.own.eq(~finish)", "self.o.payload.marks.own.eq(1)", (1, 2, 1, 1)),
        ("even.o.ready.eq(step & ~finish)", "even.o.ready.eq(self.o.valid)", (1, 4, 1, 1)),
        ("finish | (single & (y == self.height - 1))", "finish", (1, 1, 1, 1)),
        ("(single | odd.o.valid)", "1", (1, 2, 1, 1)),
    ],
    ids=["odd width", "first row", "row of odd width", "a pair too many", "taken unasked",
         "end of an odd width", "half a pair"],
)  # fmt: skip
def test_refutes(old, new, size):
    with pytest.raises(AssertionError, match="of depth"):
        prove_data(mutant(ColumnPairs, old, new), *size)
