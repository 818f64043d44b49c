"""Networks of other operands: planned, generated and synthesized, whatever they are."""

from dataclasses import replace

import numpy as np
import pytest

from fxhw.golden import run_network
from fxhw.plan.support import common_formats
from fxhw.sweep.jobs import plan_point
from fxhw.sweep.operands import Operands
from fxhw.sweep.point import Point
from fxhw.sweep.stand_in import give_operands, has_operands
from tests.networks import random_network
from tests.sweep.tiny import tiny_setup

OPERANDS = [
    Operands(2, 6, "ternary"),
    Operands(2, 2, "ternary", "ternary"),
    Operands(1, 6),
    Operands(1, 1, "fixed", "sign"),
    Operands(5, 8, "power"),
    Operands(3, 2, "power"),
    Operands(7, 2, "power", "ternary"),
    Operands(4, 6, "fixed", "signed"),
    Operands(2, 1, "ternary", "sign"),
]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return tiny_setup(tmp_path_factory.mktemp("tiny")).network


@pytest.mark.parametrize("operands", OPERANDS, ids=lambda operands: operands.name)
def test_it_has_the_operands_and_runs(network, operands):
    found = give_operands(network, operands)
    assert has_operands(found, operands)
    assert give_operands(found, operands) is found
    weight, activation = common_formats(found)
    for conv in found.convs[1:]:
        assert weight.contains(conv.codes)
        # Neither all of them the smallest nor all the largest.
        assert len(np.unique(conv.codes)) > 1
    assert (found.convs[0].codes == network.convs[0].codes).all()
    image = np.random.default_rng(3).integers(0, 256, (*network.size, 1))
    run_network(found, image)  # every sum, bias and shift lies in its range
    assert activation.width == operands.abits


@pytest.mark.parametrize("operands", OPERANDS, ids=lambda operands: operands.name)
def test_it_takes_as_long_as_any_other(network, operands):
    """Cycles follow from shapes: those of a random network of the same operands."""
    point = Point(
        "ecp5-85k", "accelerator", "lut", 1, 2, operands.wbits, operands.abits, operands.weights,
        operands.activations,
    )
    other = random_network(
        5, (2, 4), network.size, operands.wbits, operands.abits, weights=operands.weights,
        activations=operands.activations,
    )
    one, two = (plan_point(each, point)[1] for each in (network, other))
    assert one.estimate.total == two.estimate.total
    assert one.design == two.design


def test_a_network_of_several_widths(network):
    """It has no operands of its own, and is requantized to one width first."""
    convs = network.convs
    narrow = give_operands(network, Operands(2, 4)).convs[1]
    ops = [replace(op, weight=narrow.weight, codes=narrow.codes) if op is convs[1] else op
           for op in network.ops]  # fmt: skip
    mixed = replace(network, ops=tuple(ops))
    assert not has_operands(mixed, Operands(4, 4))
    for operands in (Operands(3, 4), Operands(2, 4, "ternary")):
        assert has_operands(give_operands(mixed, operands), operands)


def test_the_nearest_codes(network):
    wide = give_operands(network, Operands(8, 6)).convs[1]
    powers = give_operands(network, Operands(4, 6, "power")).convs[1]
    assert set(np.unique(np.abs(powers.codes))) <= {0, 1, 2, 4, 8}
    best = np.array([0, 1, 2, 4, 8])
    wanted = np.abs(np.abs(wide.codes.astype(int))[..., None] - best).min(axis=-1)
    found = np.abs(wide.codes.astype(int) - powers.codes)
    assert (found == wanted).all()
