"""MacArray == ConvSpec.compute_array, of every kind and width, the extremes included."""

import pytest

from fxhw.fixed import (
    ActivationFormat,
    SignActivation,
    SignedActivation,
    TernaryActivation,
    WeightFormat,
)
from fxhw.gateware.mac_array import MacArray
from fxhw.plan import ConvSpec

from .run_array import check_sums


def spec_of(weight, activation, lanes_in=2, lanes_out=2):
    return ConvSpec(
        weight=weight,
        activation=activation,
        out=activation,
        lanes_in=lanes_in,
        lanes_out=lanes_out,
        max_groups_in=1,
        max_groups_out=1,
        row_words=4,
        weight_words=1,
    )


def check_array(spec):
    check_sums(MacArray(spec), spec)


@pytest.mark.parametrize(
    ("wbits", "abits"), [(1, 1), (1, 8), (2, 4), (3, 5), (4, 6), (8, 1), (8, 8)]
)
def test_widths(wbits, abits):
    check_array(spec_of(WeightFormat(wbits), ActivationFormat(abits)))


@pytest.mark.parametrize(
    ("weight", "activation"),
    [
        (WeightFormat(1), SignActivation()),
        (WeightFormat(1), SignedActivation(4)),
        (WeightFormat(1), TernaryActivation()),
        (WeightFormat(4), SignActivation()),
        (WeightFormat(4), SignedActivation(5)),
        (WeightFormat(4), TernaryActivation()),
        (WeightFormat(2, "ternary"), ActivationFormat(6)),
        (WeightFormat(2, "ternary"), TernaryActivation()),
        (WeightFormat(2, "ternary"), SignActivation()),
        (WeightFormat(3, "power"), SignActivation()),
        (WeightFormat(5, "power"), ActivationFormat(6)),
        (WeightFormat(5, "power"), TernaryActivation()),
        (WeightFormat(7, "power"), SignedActivation(3)),
    ],
    ids=lambda value: value.name,
)
def test_kinds(weight, activation):
    check_array(spec_of(weight, activation))


@pytest.mark.parametrize(("lanes_in", "lanes_out"), [(1, 1), (1, 3), (5, 1)])
@pytest.mark.parametrize(
    ("weight", "activation"),
    [(WeightFormat(4), ActivationFormat(6)), (WeightFormat(1), SignActivation())],
    ids=lambda value: value.name,
)
def test_lanes(weight, activation, lanes_in, lanes_out):
    check_array(spec_of(weight, activation, lanes_in, lanes_out))
