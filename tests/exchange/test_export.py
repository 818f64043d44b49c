"""Exported models, run by qonnx, have the golden model's value in every tensor."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxhw.errors import FxhwError
from fxhw.exchange import export_qonnx, import_qonnx, run_qonnx, save_qonnx
from fxhw.golden import run_network
from tests.exchange.models import codes_of, pixels_of
from tests.networks import random_image, random_network

pytest.importorskip("onnx")



def assert_same_network(a, b):
    assert (a.image, a.image_channels, a.size) == (b.image, b.image_channels, b.size)
    assert a.normalization == b.normalization
    assert dict(a.meta) == dict(b.meta)
    assert len(a.ops) == len(b.ops)
    for x, y in zip(a.ops, b.ops):
        assert type(x) is type(y)
        if not hasattr(x, "codes"):
            assert x == y
            continue
        assert (x.name, x.input, x.output, x.weight) == (y.name, y.input, y.output, y.weight)
        for part in ("codes", "weight_frac", "bias", "multiplier"):
            np.testing.assert_array_equal(
                getattr(x, part, None), getattr(y, part, None), f"{x.name} {part}"
            )
        assert getattr(x, "out", None) == getattr(y, "out", None)


def assert_round_trip(network, path, seed=0, channels=1):
    """Every tensor equal in qonnx, and the network equal when read back."""
    pytest.importorskip("qonnx")
    save_qonnx(network, path)
    again, report = import_qonnx(path)
    assert_same_network(network, again)
    assert report.exact
    image = random_image(np.random.default_rng(seed), network.size, channels, network.image.width)
    mask, codes = run_network(network, image, keep=True)
    values = run_qonnx(report.model, pixels_of(network, image))
    for name, info in network.tensors().items():
        wanted = image if name == "image" else codes[name]
        np.testing.assert_array_equal(codes_of(values[name], info.format), wanted, name)
    np.testing.assert_array_equal(values["mask"][0, 0], mask)


@settings(max_examples=12)
@given(
    seed=st.integers(0, 1 << 32),
    channels=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    size=st.tuples(st.integers(1, 13), st.integers(1, 13)),
    wbits=st.integers(1, 8),
    abits=st.integers(1, 8),
    image_channels=st.sampled_from([1, 3]),
    ibits=st.integers(1, 8),
    extreme=st.booleans(),
)
def test_random_networks(
    tmp_path_factory, seed, channels, size, wbits, abits, image_channels, ibits, extreme
):
    network = random_network(
        seed, channels, size, wbits, abits, image_channels, ibits=ibits, extreme=extreme
    )
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    assert_round_trip(network, path, seed, image_channels)


@pytest.mark.parametrize("activations", ["unsigned", "signed", "ternary", "sign"])
@pytest.mark.parametrize(
    ("weights", "bits"), [("fixed", 1), ("fixed", 3), ("ternary", 2), ("power", 4)]
)
@pytest.mark.parametrize("multipliers", [False, True])
def test_every_kind_of_number(tmp_path, activations, weights, bits, multipliers):
    abits = {"ternary": 2, "sign": 1}.get(activations, 4)
    network = random_network(
        3, (2, 3), (7, 6), bits, abits, weights=weights, activations=activations,
        multipliers=multipliers,
    )
    assert_round_trip(network, tmp_path / "model.onnx")


def test_facts_are_in_the_metadata():
    from dataclasses import replace

    network = replace(random_network(0, (2,), (6, 6), 4, 6), normalization="zscore")
    model = export_qonnx(network)
    facts = json.loads(next(p.value for p in model.metadata_props if p.key == "fxhw"))
    assert facts["normalization"] == "zscore"
    assert facts["mask"] == "logit >= 0"
    assert facts["exact"] is True
    assert facts["meta"] == network.meta


def test_equal_networks_give_equal_files(tmp_path):
    for name in "ab":
        save_qonnx(random_network(4, (2, 3), (9, 8), 3, 5), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_sums_beyond_float32_are_refused():
    network = random_network(1, (40,), (4, 4), 16, 8)
    message = r"^Layer enc0b, channel \d+: its sums reach \d+, .* up to 2\*\*24 = 16777216 exactly"
    with pytest.raises(FxhwError, match=message):
        export_qonnx(network)
    model = export_qonnx(network, inexact=True)
    facts = json.loads(next(p.value for p in model.metadata_props if p.key == "fxhw"))
    assert facts["exact"] is False


def test_onnx_accepts_the_model():
    import onnx

    onnx.checker.check_model(export_qonnx(random_network(0, (2,), (7, 6), 4, 6)), full_check=False)
