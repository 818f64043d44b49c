"""StaggeredArray == ConvSpec.compute_array, with the weights of later lanes coming later."""

from dataclasses import replace

import pytest

from fxhw.fixed import ActivationFormat, SignActivation, WeightFormat
from fxhw.gateware.staggered_array import StaggeredArray
from fxhw.plan.cycles import engine_latency

from .run_array import expected_sums, random_operands, run_array
from .test_mac_lut import spec_of


@pytest.mark.parametrize("target", ["ecp5", "generic"])
@pytest.mark.parametrize(("lanes_out", "stagger"), [(3, 1), (4, 1), (5, 2)])
@pytest.mark.parametrize(
    "formats",
    [(WeightFormat(4), ActivationFormat(6)), (WeightFormat(1), SignActivation())],
    ids=["w4a6", "w1a1"],
)
def test_sums(formats, lanes_out, stagger, target):
    spec = spec_of(*formats, lanes_in=4, lanes_out=lanes_out, target=target)
    assert spec.stagger == stagger
    windows, weights = random_operands(spec, 8)
    expected = expected_sums(spec, windows, weights)
    assert run_array(StaggeredArray(spec), spec, windows, weights, late=1) == expected
    assert run_array(StaggeredArray(spec), spec, windows, weights) != expected


def test_only_large_arrays_of_independent_lanes_are_staggered():
    spec = spec_of(WeightFormat(4), ActivationFormat(6), lanes_in=4, lanes_out=4)
    assert [spec.lanes_together, spec.stagger] == [2, 1]
    for change in ({"lanes_out": 2}, {"lanes_in": 2}, {"style": "generic", "target": "generic"}):
        assert replace(spec, **change).stagger == 0
    shares = replace(spec, target="xcup")
    assert shares.dot_product.shared
    assert shares.stagger == 0
    together = replace(spec, lanes_in=2)
    assert engine_latency(spec) - spec.array_latency == 1 + (
        engine_latency(together) - together.array_latency
    )
