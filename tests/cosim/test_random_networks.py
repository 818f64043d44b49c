"""Random networks on random accelerators: every layer's codes equal the golden model's.

An example is an accelerator with its own network and two others loaded as programs, each on an
image of its own.  ``make fuzz`` runs seventy examples, 210 networks; the test run takes a sample.
More: ``FXHW_FUZZ=500 FXHW_FUZZ_RANDOM=1 make fuzz``.
"""

import os

import pytest
from hypothesis import Phase, given, settings

from .designs import Case, cases, check_case

pytestmark = pytest.mark.cosim

SAMPLE = settings(max_examples=4, phases=[Phase.explicit, Phase.generate])
MANY = settings(
    max_examples=int(os.environ.get("FXHW_FUZZ", "70")),
    phases=[Phase.explicit, Phase.generate],
    derandomize=not os.environ.get("FXHW_FUZZ_RANDOM"),
)


@SAMPLE
@given(case=cases())
def test_sample(case, tmp_path_factory):
    check_case(case, tmp_path_factory.mktemp("case"))


@pytest.mark.slow
@MANY
@given(case=cases())
def test_many(case, tmp_path_factory):
    check_case(case, tmp_path_factory.mktemp("case"))


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            Case(1, (3, 5), (9, 7), {"wbits": 4, "abits": 6}, 2, 3, logits=True), id="odd sizes"
        ),
        pytest.param(
            Case(2, (2, 3, 3, 4), (16, 16), {"wbits": 2, "abits": 3}, 3, 2,
                 others=(((2,), (16, 12)), ((1, 2, 3), (5, 16)))),
            id="overlay of other depths, channels and sizes",
        ),
        pytest.param(
            Case(3, (4, 9), (8, 8), {"wbits": 1, "abits": 1}, 4, 2, weight_words=16, extreme=True),
            id="tiles of binary weights at the extremes",
        ),
        pytest.param(
            Case(4, (3, 5), (10, 9), {"wbits": 4, "abits": 6}, 2, 3, multipliers=(0,),
                 stalls=False),
            id="multipliers",
        ),
        pytest.param(
            Case(5, (2, 3), (8, 12), {"wbits": 3, "abits": 4, "image_channels": 3}, 3, 2,
                 weight_words=12, bus_bits=32, extreme=True, multipliers=(0,)),
            id="multipliers at the extremes",
        ),
        pytest.param(
            Case(6, (3, 4, 4), (12, 10), {"wbits": 8, "abits": 8}, 2, 2, multipliers=(0, 2),
                 others=(((3, 4), (9, 10)), ((2, 3, 4), (12, 7)))),
            id="overlay without and with multipliers",
        ),
        pytest.param(
            Case(7, (3, 2), (6, 10), {"wbits": 2, "abits": 5}, 2, 3, multipliers=(1,),
                 others=(((2, 2), (6, 6)),)),
            id="multipliers for another network only",
        ),
    ],
)  # fmt: skip
def test_named(case, tmp_path):
    assert check_case(case, tmp_path) == 1 + len(case.others)
