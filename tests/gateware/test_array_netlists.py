"""Netlists of arrays, in Yosys's models of the vendors' cells, == ConvSpec.compute_array."""

import numpy as np
import pytest

from fxhw.emit import emit_verilog
from fxhw.fixed import (
    ActivationFormat,
    SignActivation,
    SignedActivation,
    WeightFormat,
    codes_to_int,
)
from fxhw.gateware.mac_lut import LutMacArray
from fxhw.plan.conv_spec import STYLES, TAPS

from ..plan.test_bit_heap import codes_of
from .netlist import synthesize_netlist
from .test_mac_lut import spec_of

CARRIES = {
    "ecp5": "CCU2C",
    "xc7": "CARRY4",
    "xcup": "CARRY8",
    "gowin": "ALU",
    "ice40": "SB_CARRY",
    "generic": "CCU2C",
}
"""The carry cell of each family; what is generic is synthesized for ECP5."""

PATTERNS = 64


def differences(spec, folder, change=None):
    """How many sums of the synthesized array are wrong, of extreme and of random operands."""
    verilog = emit_verilog(LutMacArray(spec), "top").verilog
    family = "ecp5" if spec.target == "generic" else spec.target
    netlist = synthesize_netlist(verilog, family, folder, change)
    assert CARRIES[spec.target] in netlist.kinds
    rng = np.random.default_rng(7)
    ws, xs = codes_of(spec.weight), codes_of(spec.activation)
    cycles, latency = 4, spec.array_latency
    weights = rng.choice(ws, (cycles, PATTERNS, spec.lanes_out, TAPS, spec.lanes_in))
    windows = rng.choice(xs, (cycles, PATTERNS, TAPS, spec.lanes_in))
    for cycle in range(cycles):
        weights[cycle, 0], windows[cycle, 0] = ws[-(cycle & 1)], xs[-(cycle >> 1)]
        # Few codes of the largest magnitude tell a wrong bit of a table from a right one.
        weights[cycle, 1::4] = rng.choice([ws[0], ws[-1]], weights[cycle, 1::4].shape)
        windows[cycle, 1::4] = rng.choice([xs[0], xs[-1]], windows[cycle, 1::4].shape)
    stimuli = []
    for cycle in range(cycles + latency):
        here = min(cycle, cycles - 1)
        stimuli.append(
            {
                "window": [_window(spec, window) for window in windows[here]],
                "weights": [_word(spec.weight, weight) for weight in weights[here]],
            }
        )
    outputs = netlist.run(stimuli, "sums", PATTERNS)[latency:]
    width, wrong = spec.partial.width, 0
    for cycle in range(cycles):
        for pattern in range(PATTERNS):
            sums = spec.compute_array(windows[cycle, pattern], weights[cycle, pattern])
            wrong += outputs[cycle][pattern] != codes_to_int(sums & ((1 << width) - 1), width)
    return wrong


def _window(spec, window):
    return codes_to_int(spec.activation.encode(window).reshape(-1), spec.activation.width)


def _word(form, codes):
    return codes_to_int(form.encode(codes).reshape(-1), form.bits)


@pytest.mark.parametrize(
    "target", [t if t == "xcup" else pytest.param(t, marks=pytest.mark.slow) for t in STYLES["lut"]]
)
def test_netlist(target, tmp_path):
    spec = spec_of(WeightFormat(4), ActivationFormat(6), 1, 1, target, may_exceed=True)
    assert differences(spec, tmp_path) == 0


@pytest.mark.slow
@pytest.mark.parametrize("target", ["generic", "ecp5"])
def test_netlist_of_products_in_pairs(target, tmp_path):
    spec = spec_of(WeightFormat(8), ActivationFormat(8), 1, 6, target, may_exceed=True)
    assert spec.dot_product.shared is not None
    assert differences(spec, tmp_path) == 0


@pytest.mark.slow
@pytest.mark.parametrize("target", STYLES["lut"])
@pytest.mark.parametrize(
    ("weight", "activation"),
    [
        (WeightFormat(4), ActivationFormat(6)),
        (WeightFormat(3), SignedActivation(3)),
        (WeightFormat(1), SignActivation()),
        (WeightFormat(2, "ternary"), ActivationFormat(4)),
        (WeightFormat(5, "power"), ActivationFormat(3)),
    ],
    ids=lambda value: value.name,
)
def test_netlists_of_two_channels(weight, activation, target, tmp_path):
    spec = spec_of(weight, activation, 2, 2, target, may_exceed=True)
    assert differences(spec, tmp_path) == 0


TABLES = {
    "ecp5": ("CCU2C", "INIT0"),
    "xcup": ("LUT6_2", "INIT"),
    "gowin": ("ALU", "ALU_MODE"),
    "ice40": ("SB_LUT4", "LUT_INIT"),
}
"""A cell of each family, and the parameter that says what it does."""


@pytest.mark.parametrize(
    "target", [t if t == "xcup" else pytest.param(t, marks=pytest.mark.slow) for t in TABLES]
)
def test_a_broken_cell_is_found(target, tmp_path):
    kind, parameter = TABLES[target]

    def change(cells):
        cell = next(cell for cell in cells.values() if cell["type"] == kind)
        bits = cell["parameters"][parameter]
        # The row that its inputs are in where all of them are 0, or, of a mode, its lowest bit.
        cell["parameters"][parameter] = bits[:-1] + "10"[int(bits[-1])]
        if kind == "LUT6_2":
            flipped = "".join("10"[int(bit)] for bit in bits)
            cell["parameters"][parameter] = flipped[:32] + bits[32:]

    spec = spec_of(WeightFormat(4), ActivationFormat(6), 1, 1, target)
    assert differences(spec, tmp_path, change) > 0
