# amaranth: UnusedElaboratable=no

"""Stream contract and data of the column trim, and what the proofs catch in a broken one.

The contract holds for good (induction), for every shape of the raster.  Data are proved for all
words, pauses and stalls of one small raster or, for the smallest, of two in a row.
"""

import pytest
from amaranth.hdl import Assume, Mux, Signal

from fxhw.gateware.column_trim import ColumnTrim

from .prover import prove_stream_contract, prove_stream_function
from .test_datapath_streams import idle_start, mutant, per_image

pytestmark = pytest.mark.formal


def begun(words, rasters):
    """Assumption: each raster is started within two cycles after all words of the one before have
    been taken, not sooner, and no word is offered before its own is; nor in the first cycle of all,
    as it is set up in the cycle before."""

    def assume(m, dut):
        left, started, late = Signal(range(words + 1)), Signal(range(rasters + 1)), Signal(2)
        settled = Signal()
        m.d.sync += settled.eq(1)
        due = (left == 0) & (started < rasters)
        m.d.comb += [
            Assume(~dut.start | (due & settled)),
            Assume(dut.start | ~due | (late < 2)),
            Assume(~dut.i.valid | (left != 0)),
        ]
        m.d.sync += late.eq(Mux(due & ~dut.start, late + 1, 0))
        with m.If(dut.start):
            m.d.sync += [left.eq(words), started.eq(started + 1)]
        with m.Elif(dut.i.valid & dut.i.ready):
            m.d.sync += left.eq(left - 1)

    return assume


def kept(height, width, groups, left, right):
    """The words of a raster that are not trimmed."""
    return lambda words: [
        words[(y * width + x) * groups + group]
        for y in range(height) for x in range(left, width - right) for group in range(groups)
    ]


def sizes(block, *, groups=2, width=4, height=3):
    return block(1, max_groups=groups, max_width=width, max_height=height)


def test_contract():
    prove_stream_contract(
        sizes(ColumnTrim),
        {
            "groups": range(1, 3), "width": range(1, 5), "height": range(1, 4), "left": None,
            "right": None,
        },
        assumptions=idle_start("busy"),
    )


def prove_data(block, height, width, groups, left, right, rasters):
    words = height * width * groups
    prove_stream_function(
        sizes(block), rasters * words,
        lambda given: per_image(given, rasters, kept(height, width, groups, left, right)),
        config={"groups": groups, "width": width, "height": height, "left": left, "right": right},
        assumptions=begun(words, rasters),
        depth=rasters * (words + 5) + 2,
        progress=4 + 2 * groups,
    )


@pytest.mark.parametrize(
    "shape",
    [(1, 2, 1, 1, 0, 2), (1, 2, 1, 0, 1, 2), (2, 1, 1, 0, 0, 2), (2, 3, 1, 1, 1, 1),
     (1, 3, 2, 1, 1, 1), (2, 2, 2, 1, 0, 1)],
    ids=str,
)
def test_data(shape):
    prove_data(ColumnTrim, *shape)


@pytest.mark.parametrize(
    ("old", "new", "shape"),
    [
        ("(self.left & first) | (self.right & column.last)",
         "(self.right & first) | (self.left & column.last)", (1, 2, 1, 1, 0, 1)),
        ("first.eq(column.last)", "first.eq(0)", (2, 2, 1, 1, 0, 1)),
        ("group.step & group.last", "group.step", (1, 2, 2, 1, 0, 1)),
    ],
    ids=["the other side", "first row only", "a word a pixel"],
)
def test_refutes(old, new, shape):
    with pytest.raises(AssertionError, match="of depth"):
        prove_data(mutant(ColumnTrim, old, new), *shape)
