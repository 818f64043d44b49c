"""What the accelerator has no arithmetic for is refused; ternary weights run as 2-bit ones."""

from dataclasses import replace

import numpy as np
import pytest

from fxhw.errors import FxhwError
from fxhw.fixed import WeightFormat
from fxhw.golden import run_network
from fxhw.graph import Conv, Head
from fxhw.plan import Design, compile_network, design_for
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


def multiplied(multiplier, **changes):
    """A network all of whose multipliers are ``multiplier``."""
    network = random_network(0, (2,), (8, 8), 4, 4, **changes)
    ops = [
        replace(op, multiplier=np.full(op.out_channels, multiplier)) if isinstance(op, Conv) else op
        for op in network.ops
    ]
    return replace(network, ops=tuple(ops))


@pytest.mark.parametrize(("multiplier", "bits"), [(1, 0), (2, 2), (3, 2), (65535, 16)])
def test_design_takes_the_largest_multiplier(multiplier, bits):
    network = multiplied(multiplier)
    design = design_for(network, 2, 2)
    assert design.mul_bits == design.main.mul_bits == design.front.mul_bits == bits
    assert design_for(network, 2, 2, mul_bits=9).mul_bits == max(bits, 9)
    assert Design.from_json(design.to_json()) == design
    assert len(compile_network(network, design).beats) == design.parameter_beats


def test_no_multiplier_leaves_no_trace():
    """Nothing that was written before there were multipliers changes."""
    plain = random_network(0, (2,), (8, 8), 4, 4)
    design = design_for(plain, 2, 2)
    assert "mul_bits" not in design.to_json()
    assert design == design_for(multiplied(1), 2, 2)
    assert compile_network(plain, design).beats == compile_network(multiplied(1), design).beats
    assert design.digest != replace(design, mul_bits=2).digest


def test_a_style_is_kept_and_the_first_one_leaves_no_trace():
    network = random_network(0, (2,), (8, 8), 4, 4)
    plain = design_for(network, 2, 2)
    assert {"style", "target"}.isdisjoint(plain.to_json())
    design = design_for(network, 2, 2, style="lut", target="ecp5")
    assert Design.from_json(design.to_json()) == design
    assert design.digest != plain.digest
    assert (design.main.style, design.front.target) == ("lut", "ecp5")


@pytest.mark.parametrize(
    ("style", "target", "message"),
    [
        ("fast", "generic", "style must be one of generic, lut, not fast"),
        ("generic", "ecp5", "target must be one of generic for the generic style, not ecp5"),
        ("lut", "z80", "target must be one of generic, ecp5 for the lut style, not z80"),
    ],
)
def test_a_style_that_does_not_exist_is_refused(style, target, message):
    with pytest.raises(FxhwError, match=message):
        design_for(random_network(0, (2,), (8, 8), 4, 4), 2, 2, style=style, target=target)


def test_a_multiplier_that_the_design_lacks_is_refused():
    plain = design_for(random_network(0, (2,), (8, 8), 4, 4), 2, 2)
    small = design_for(multiplied(7), 2, 2)
    with pytest.raises(
        FxhwError,
        match="^Layer enc0a has multipliers of 4 bits, but the design's requantizer takes no "
        "multipliers; generate a design for this network$",
    ):
        compile_network(multiplied(8), plain)
    with pytest.raises(
        FxhwError,
        match="^Layer enc0a has multipliers of 4 bits, but the design's requantizer takes at most "
        "3 bits; generate a design for this network$",
    ):
        compile_network(multiplied(8), small)


def test_multiplier_width_out_of_range():
    design = design_for(random_network(0, (2,), (8, 8), 4, 4), 2, 2)
    for bits in (-1, 17):
        with pytest.raises(FxhwError, match=rf"mul_bits must lie in 0 \.\. 16, not {bits}$"):
            replace(design, mul_bits=bits)


def test_a_multiplier_takes_a_cycle_of_every_step_and_of_the_first_convolution():
    network = random_network(0, (2, 3), (8, 16), 4, 4, image_channels=3)
    # A bus so wide that the longer requantization words take no longer to load.
    design = design_for(network, 1, 1, bus_bits=128)
    plain, multiplied = (
        compile_network(network, replace(design, mul_bits=bits)).estimate for bits in (0, 4)
    )
    first, *others = zip(plain.steps, multiplied.steps)
    assert (first[1].fill - first[0].fill, first[1].drain - first[0].drain) == (1, 1)
    assert {(b.fill - a.fill, b.drain - a.drain) for a, b in others} == {(0, 1)}
