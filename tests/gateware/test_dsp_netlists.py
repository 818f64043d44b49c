"""Netlists of arrays of multiplier blocks == ConvSpec.compute_array."""

import numpy as np
import pytest

from fxhw.emit import emit_verilog
from fxhw.fixed import codes_to_int
from fxhw.gateware.mac_dsp import DspMacArray
from fxhw.plan.conv_spec import TAPS

from ..plan.test_bit_heap import codes_of
from .netlist import synthesize_netlist
from .test_mac_dsp import spec_of

BLOCKS = {"ecp5": "MULT18X18D", "xcup": "DSP48E2"}
"""The cells that have the products' registers in them."""

PATTERNS = 32


def differences(spec, folder, change=None):
    """How many sums of the synthesized array are wrong, of extreme and of random operands."""
    verilog = emit_verilog(DspMacArray(spec), "top").verilog
    netlist = synthesize_netlist(verilog, spec.target, folder, change)
    assert BLOCKS[spec.target] in netlist.kinds
    rng = np.random.default_rng(5)
    ws, xs = codes_of(spec.weight), codes_of(spec.activation)
    cycles, latency = 3, spec.array_latency
    weights = rng.choice(ws, (cycles, PATTERNS, spec.lanes_out, TAPS, spec.lanes_in))
    windows = rng.choice(xs, (cycles, PATTERNS, spec.window_words, spec.lanes_in))
    for cycle, (w, x) in enumerate([(0, -1), (-1, -1), (0, 0)]):
        weights[cycle, 0], windows[cycle, 0] = ws[w], xs[x]
    stimuli = []
    for cycle in range(cycles + latency):
        here = min(cycle, cycles - 1)
        stimuli.append({
            "window": [codes_to_int(w.reshape(-1), spec.activation.width) for w in windows[here]],
            "weights": [
                codes_to_int(spec.encode_weights(w).reshape(-1), spec.weight.bits)
                for w in weights[here]
            ],
        })
    outputs = netlist.run(stimuli, "sums", PATTERNS)[latency:]
    width, wrong = spec.partial.width, 0
    for cycle in range(cycles):
        for pattern in range(PATTERNS):
            sums = spec.compute_array(windows[cycle, pattern], weights[cycle, pattern])
            expected = codes_to_int(sums.reshape(-1) & ((1 << width) - 1), width)
            wrong += outputs[cycle][pattern] != expected
    return wrong


@pytest.mark.parametrize(
    "target", ["ecp5", pytest.param("xcup", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    "more",
    [{}, pytest.param({"pixels": 2}, marks=pytest.mark.slow),
     {"pixels": 2, "style": "mixed", "dsps": 2}],
    ids=["one pixel", "two pixels", "some in blocks"],
)  # fmt: skip
def test_netlist(target, more, tmp_path):
    assert differences(spec_of(4, 6, 1, 1, target=target, **more), tmp_path) == 0


def test_a_block_without_its_register_is_found(tmp_path):
    def change(cells):
        cell = next(cell for cell in cells.values() if cell["type"] == "MULT18X18D")
        cell["parameters"]["REG_OUTPUT_CLK"] = "NONE"

    assert differences(spec_of(4, 6, 1, 1, target="ecp5"), tmp_path, change) > 0
