"""Designs take a network's kinds and widths; what they have no arithmetic for is refused."""

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
        ({"end_weights": "power"}, "^Layer enc0a has pow7 weights, .*first layer and the head "),
        ({"wbits": 9}, "^Layer enc0b has 9-bit weights, but the MAC array takes at most 8 bits; "),
        ({"last_wbits": 12}, "^Layer head has 12-bit weights, but the MAC array takes at most 8"),
        ({"abits": 10}, "^Layer enc0a has 10-bit activations, but the MAC array takes at most 8"),
        ({"abits": 9, "activations": "signed"}, "^Layer enc0a has 9-bit activations, but the MAC"),
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
    """On a design for two bits, the same parameters as of the same codes in two's complement."""
    network = random_network(
        3, (3, 5), (8, 12), 2, 4, weights="ternary", end_weights=end_weights, extreme=extreme
    )
    ops = [
        replace(op, weight=WeightFormat(op.weight.bits)) if isinstance(op, Conv | Head) else op
        for op in network.ops
    ]
    fixed = replace(network, ops=tuple(ops))
    design = design_for(fixed, 2, 3)
    assert design_for(network, 2, 3) == replace(design, weights="ternary")
    assert (design.wbits, design.last_wbits) == (2, 8 if end_weights == "fixed" else 2)
    assert compile_network(network, design).beats == compile_network(fixed, design).beats
    image = random_image(np.random.default_rng(0), (8, 12))
    tensors = [run_network(net, image, keep=True)[1] for net in (network, fixed)]
    for name in tensors[0]:
        np.testing.assert_array_equal(tensors[0][name], tensors[1][name])


KINDS = [
    ("fixed", 4, "unsigned", 4),
    ("fixed", 4, "signed", 4),
    ("fixed", 1, "sign", 1),
    ("fixed", 2, "ternary", 2),
    ("ternary", 2, "ternary", 2),
    ("ternary", 2, "unsigned", 4),
    ("power", 4, "unsigned", 4),
]


def of_kinds(weights, wbits, activations, abits, **changes):
    """A network of these kinds; ``changes`` go to its generator."""
    base = {"channels": (3,), "size": (8, 8), "weights": weights, "activations": activations}
    return random_network(0, **{**base, **changes}, wbits=wbits, abits=abits)


@pytest.mark.parametrize("kinds", KINDS)
def test_a_design_takes_its_network_s_kinds(kinds):
    network = of_kinds(*kinds)
    design = design_for(network, 2, 2)
    assert (design.weights, design.wbits, design.activations, design.abits) == kinds
    assert (design.weight, design.activation.kind) == (network.convs[1].weight, kinds[2])
    assert design.main.activation == design.main.out == design.front.out == design.activation
    assert Design.from_json(design.to_json()) == design
    first = {"weights": "fixed", "activations": "unsigned"}
    assert {name for name in first if name in design.to_json()} == {
        name for name in first if getattr(design, name) != first[name]
    }
    assert len(compile_network(network, design).beats) == design.parameter_beats


@pytest.mark.parametrize("network", KINDS)
@pytest.mark.parametrize("design", KINDS)
def test_a_network_of_other_kinds_is_refused(network, design):
    hardware = replace(design_for(of_kinds(*design), 2, 2), parameter_beats=1 << 16)
    runs = network == design or (network[0], design[0]) == ("ternary", "fixed") and (
        network[1:] == design[1:]
    )
    if runs:
        compile_network(of_kinds(*network), hardware)
        return
    with pytest.raises(FxhwError, match=r"^The network's (weights|activations) (have|are) ") as e:
        compile_network(of_kinds(*network), hardware)
    assert len(str(e.value).splitlines()) == 1


def test_a_refusal_names_both_kinds():
    ternary = design_for(of_kinds("ternary", 2, "ternary", 2), 2, 2)
    with pytest.raises(FxhwError, match="^The network's weights are fixed, the design's ternary; "):
        compile_network(of_kinds("fixed", 2, "ternary", 2), ternary)
    with pytest.raises(
        FxhwError,
        match="^The network's activations are signed, the design's ternary; generate a design for "
        "this network$",
    ):
        compile_network(of_kinds("ternary", 2, "signed", 2), ternary)


def mixed(first, second):
    """A network of ``first`` in one layer between the first and the head, ``second`` in others."""
    network, other = of_kinds(*first), of_kinds(*second)
    ops = list(network.ops)
    index = next(n for n, op in enumerate(ops) if isinstance(op, Conv) and n)
    ops[index] = other.ops[index]
    return replace(network, ops=tuple(ops))


def test_two_bit_weights_may_be_ternary_in_some_layers():
    for network in (
        mixed(("ternary", 2, "unsigned", 4), ("fixed", 2, "unsigned", 4)),
        mixed(("fixed", 2, "unsigned", 4), ("ternary", 2, "unsigned", 4)),
    ):
        design = design_for(network, 2, 2)
        assert (design.weights, design.wbits) == ("fixed", 2)
        compile_network(network, design)


def test_layers_of_several_kinds_are_refused():
    network = mixed(("power", 4, "unsigned", 4), ("fixed", 4, "unsigned", 4))
    with pytest.raises(FxhwError, match=r"^Layer \w+ has \w+ weights, others have \w+ ones; "):
        design_for(network, 2, 2)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"weights": "octal"}, "weights must be one of fixed, ternary, power, not octal$"),
        ({"activations": "relu"}, "activations must be one of unsigned, .*, sign, not relu$"),
        ({"weights": "ternary"}, "wbits must be 2 for ternary weights, not 4$"),
        ({"weights": "power", "wbits": 2}, r"wbits must lie in 3 \.\. 7 for power weights, not 2$"),
        ({"activations": "sign"}, "abits must be 1 for sign activations, not 4$"),
        ({"activations": "ternary"}, "abits must be 2 for ternary activations, not 4$"),
        (
            {"weights": "power", "wbits": 7, "mul_bits": 16, "max_groups_in": 1024},
            "^Design with pow7 weights, .* multipliers of 16 bits has sums too wide for its ",
        ),
    ],
)
def test_kinds_and_widths_that_do_not_go_together(change, match):
    design = design_for(random_network(0, (2,), (8, 8), 4, 4), 2, 2)
    with pytest.raises(FxhwError, match=match):
        replace(design, **change)


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
        ("fast", "generic", "style must be one of generic, lut, dsp, mixed, not fast"),
        ("generic", "ecp5", "target must be one of generic for the generic style, not ecp5"),
        ("lut", "z80", "one of generic, ecp5, xc7, xcup, gowin, ice40 for the lut style, not z80"),
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


def test_a_multiplier_takes_two_cycles_of_every_step_and_of_the_first_convolution():
    # The product, and the sum that accumulators with the bias in them save.
    network = random_network(0, (2, 3), (8, 128), 4, 4, image_channels=3)
    # A bus so wide that the longer requantization words take no longer to load.
    design = design_for(network, 1, 1, bus_bits=128)
    plain, multiplied = (
        compile_network(network, replace(design, mul_bits=bits)).estimate for bits in (0, 4)
    )
    first, *others = zip(plain.steps, multiplied.steps)
    assert (first[1].fill - first[0].fill, first[1].drain - first[0].drain) == (2, 2)
    assert {(b.fill - a.fill, b.drain - a.drain) for a, b in others} == {(0, 2)}


def test_two_pixels_and_a_budget_of_blocks():
    network = random_network(0, (2,), (8, 8), 4, 6)
    design = design_for(network, 2, 2, style="mixed", target="xcup", pixels=2, dsps=5)
    assert Design.from_json(design.to_json()) == design
    assert design.macs_per_cycle == 2 * 9 * 2 * 2
    assert len(design.main.packed_array.blocks) <= 5
    assert (design.main.pixels, design.front.pixels, design.front.style) == (2, 1, "lut")
    plain = design_for(network, 2, 2).to_json()
    assert {"pixels", "dsps"}.isdisjoint(plain)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pixels": 2}, "pixels must be 1 for the generic style, not 2; take the dsp or mixed"),
        ({"pixels": 3, "style": "dsp"}, "pixels must lie in 1 .. 2, not 3"),
        ({"dsps": 4, "style": "dsp"}, "dsps must be 0 for the dsp style, not 4; the mixed style"),
    ],
)
def test_block_parameters_that_fit_no_style_are_refused(changes, message):
    with pytest.raises(FxhwError, match=message):
        design_for(random_network(0, (2,), (8, 8), 4, 4), 2, 2, **changes)


def test_formats_that_blocks_cannot_multiply_are_refused():
    design = design_for(random_network(0, (2,), (8, 8), 4, 4), 2, 2)
    with pytest.raises(FxhwError, match="must be generic or lut for s4 weights and .* not dsp"):
        replace(design, style="dsp", activations="signed")
