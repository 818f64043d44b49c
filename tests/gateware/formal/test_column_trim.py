# amaranth: UnusedElaboratable=no

"""Stream contract and data of the column trim, and what the proofs catch in a broken one.

The contract holds for good (induction), for every shape of the raster.  Data are proved for all
words, pauses and stalls of one small raster or, for the smallest, of two in a row.
"""

import pytest

from fxhw.gateware.column_trim import ColumnTrim

from ..mutants import mutant
from .prover import prove_stream_contract, prove_stream_function
from .starts import idle_start, per_image, started

pytestmark = pytest.mark.formal


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
        assumptions=started(words, rasters, "i"),
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
