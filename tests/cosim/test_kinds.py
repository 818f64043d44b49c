"""Whole networks of every kind of weights and activations equal the golden model."""

import pytest

from fxhw.gateware import main_datapath
from fxhw.gateware.max_pool import MaxPool
from fxhw.plan import parameters

from .designs import Case, check_case, needs_icarus

KINDS = {
    "binary and signs": {"wbits": 1, "abits": 1, "activations": "sign"},
    "ternary and ternary": {
        "wbits": 2, "abits": 2, "weights": "ternary", "activations": "ternary",
    },
    "powers of 5 bits and ReLU": {"wbits": 5, "abits": 6, "weights": "power"},
    "powers of 7 bits and ReLU": {"wbits": 7, "abits": 4, "weights": "power"},
    "fixed and hard tanh": {"wbits": 4, "abits": 6, "activations": "signed"},
    "ternary and ReLU": {"wbits": 2, "abits": 6, "weights": "ternary"},
    "binary and ReLU": {"wbits": 1, "abits": 6},
    "fixed and signs": {"wbits": 4, "abits": 1, "activations": "sign"},
    "powers and signs": {"wbits": 3, "abits": 1, "weights": "power", "activations": "sign"},
    "powers and hard tanh": {"wbits": 4, "abits": 3, "weights": "power", "activations": "signed"},
}  # fmt: skip

QUICK = {
    ("binary and signs", "generic"),
    ("ternary and ternary", "generic"),
    ("powers of 5 bits and ReLU", "lut"),
}


def _case(kinds, style, seed=1, **changes):
    """Channels that fill neither the groups of 2 in nor those of 3 out, and a pooled odd size."""
    if style == "lut":
        changes |= {"style": "lut", "target": "ecp5"}
    others = (((2, 3), (6, 7)),)
    return Case(seed, (3, 5), (9, 7), KINDS[kinds], 2, 3, others=others, **changes)


@pytest.mark.cosim
@pytest.mark.parametrize(
    ("kinds", "style"),
    [
        pytest.param(
            kinds, style, marks=() if (kinds, style) in QUICK else pytest.mark.slow,
            id=f"{kinds}, {style}",
        )
        for kinds in KINDS
        for style in ("generic", "lut")
    ],
)  # fmt: skip
def test_networks(kinds, style, tmp_path):
    assert check_case(_case(kinds, style), tmp_path) == 2


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("kinds", KINDS)
def test_extremes_tiles_and_logits(kinds, tmp_path):
    changes = {"extreme": True, "logits": True, "weight_words": 8, "bus_bits": 32}
    assert check_case(_case(kinds, "generic", 4, **changes), tmp_path) == 2


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize(
    "kinds", ["binary and signs", "ternary and ternary", "powers of 5 bits and ReLU"]
)
@pytest.mark.parametrize("style", ["generic", "lut"])
def test_cycles_are_those_estimated(kinds, style, tmp_path):
    assert check_case(_case(kinds, style, stalls=False), tmp_path) == 2


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("kinds", ["binary and signs", "ternary and ternary"])
@needs_icarus
def test_icarus(kinds, tmp_path):
    assert check_case(_case(kinds, "generic"), tmp_path, "icarus") == 2


@pytest.mark.slow
@pytest.mark.cosim
def test_a_head_of_binary_weights_beside_signs(tmp_path):
    widths = KINDS["binary and signs"] | {"last_wbits": 1}
    assert check_case(Case(2, (3, 5), (9, 7), widths, 2, 2, logits=True), tmp_path) == 1


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("multipliers", [(0,), (1,)])
def test_multipliers_beside_signs(multipliers, tmp_path):
    assert check_case(_case("binary and signs", "generic", multipliers=multipliers), tmp_path) == 2


@pytest.mark.slow
@pytest.mark.cosim
def test_lanes_without_a_channel_that_are_not_made_up_for_are_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(parameters, "_unused_code", lambda activation: 0)
    with pytest.raises(AssertionError, match="expected -?1, got -?1"):
        check_case(_case("binary and signs", "generic"), tmp_path)


@pytest.mark.slow
@pytest.mark.cosim
def test_a_pool_that_takes_codes_for_unsigned_is_seen(tmp_path, monkeypatch):
    unsigned = lambda *sizes, signed, **rest: MaxPool(*sizes, **rest)  # noqa: E731
    monkeypatch.setattr(main_datapath, "MaxPool", unsigned)
    with pytest.raises(AssertionError, match="pool0 in the feature memory"):
        check_case(_case("fixed and hard tanh", "generic"), tmp_path)
