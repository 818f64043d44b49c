"""What the accelerator has no arithmetic for is refused; ternary weights run as 2-bit ones."""

from dataclasses import replace

import numpy as np
import pytest

from fxhw.errors import FxhwError
from fxhw.fixed import WeightFormat
from fxhw.golden import run_network
from fxhw.graph import Conv, Head
from fxhw.plan import compile_network, design_for
from tests.networks import random_image, random_network


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"weights": "power"}, "^Layer enc0b has pow4 weights, powers of two, but the MAC array "),
        ({"end_weights": "power"}, "^Layer enc0a has pow7 weights, powers of two, but the MAC"),
        ({"wbits": 9}, "^Layer enc0b has 9-bit weights, but the MAC array takes at most 8 bits; "),
        ({"last_wbits": 12}, "^Layer head has 12-bit weights, but the MAC array takes at most 8"),
        ({"abits": 10}, "^Layer enc0a has 10-bit activations, but the MAC array takes at most 8"),
        ({"activations": "signed"}, r"^Layer enc0a has signed activations \(s4\..*unsigned ones"),
        ({"activations": "ternary"}, r"^Layer enc0a has ternary activations \(t\..*unsigned ones"),
        ({"activations": "sign"}, r"^Layer enc0a has sign activations \(sign\), .*unsigned ones"),
        ({"multipliers": True}, r"^Layer enc0a has a multiplier of \d+ bits, but the requantizer "),
    ],
)
def test_refusals(change, match):
    base = {"channels": (2,), "size": (8, 8), "wbits": 4, "abits": 4}
    network = random_network(0, **{**base, **change})
    design = design_for(random_network(0, **base), 2, 2)
    for attempt in (lambda: design_for(network, 2, 2), lambda: compile_network(network, design)):
        with pytest.raises(FxhwError, match=match) as error:
            attempt()
        assert "run it with 'fxhw golden'" in str(error.value)


@pytest.mark.parametrize("end_weights", ["fixed", "ternary"])
@pytest.mark.parametrize("extreme", [False, True])
def test_ternary_weights_are_two_bit_ones(end_weights, extreme):
    """The same design, program and parameters as of the same codes in two's complement."""
    network = random_network(
        3, (3, 5), (8, 12), 2, 4, weights="ternary", end_weights=end_weights, extreme=extreme
    )
    ops = [
        replace(op, weight=WeightFormat(op.weight.bits)) if isinstance(op, Conv | Head) else op
        for op in network.ops
    ]
    fixed = replace(network, ops=tuple(ops))
    design = design_for(network, 2, 3)
    assert design == design_for(fixed, 2, 3)
    assert (design.wbits, design.last_wbits) == (2, 8 if end_weights == "fixed" else 2)
    assert compile_network(network, design).beats == compile_network(fixed, design).beats
    image = random_image(np.random.default_rng(0), (8, 12))
    tensors = [run_network(net, image, keep=True)[1] for net in (network, fixed)]
    for name in tensors[0]:
        np.testing.assert_array_equal(tensors[0][name], tensors[1][name])
