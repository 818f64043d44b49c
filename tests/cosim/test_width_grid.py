"""All 64 combinations of weight and activation widths equal the golden model."""

import pytest

from .designs import Case, check_case

SAMPLE = {(1, 1), (4, 6), (8, 8)}


def _mark(wbits, abits):
    return () if (wbits, abits) in SAMPLE else pytest.mark.slow


@pytest.mark.cosim
@pytest.mark.parametrize(
    ("wbits", "abits"),
    [
        pytest.param(w, a, marks=_mark(w, a), id=f"w{w}a{a}")
        for w in range(1, 9)
        for a in range(1, 9)
    ],
)
def test_widths(wbits, abits, tmp_path):
    widths = {"wbits": wbits, "abits": abits}
    case = Case(
        wbits * 8 + abits,
        (3, 5),
        (8, 10),
        widths,
        extreme=(wbits + abits) % 2 == 0,
        others=(((3, 5), (8, 10)),),
    )
    assert check_case(case, tmp_path) == 2
