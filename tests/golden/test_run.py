"""Whole networks against the definitions."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxhw.errors import FxhwError
from fxhw.fixed import FixedFormat, SignActivation, SignedActivation, WeightFormat
from fxhw.golden import run_network, run_op
from fxhw.graph import Conv, Head, MaxPool, Network, TensorInfo
from tests.golden.reference import naive_network
from tests.networks import random_image, random_network


def check(network, image):
    expected = naive_network(network, image)
    mask, tensors = run_network(network, image, keep=True)
    for name, codes in tensors.items():
        assert codes.tolist() == expected[name], name
    assert mask.dtype == bool
    assert mask.tolist() == [[pixel[0] >= 0 for pixel in row] for row in expected["logit"]]
    info = network.tensors(image.shape[:2])
    assert set(tensors) == set(info) - {"image"}
    for name, codes in tensors.items():
        assert codes.shape == info[name].shape
        assert info[name].format.contains(codes)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 1 << 32),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    depth=st.integers(1, 2),
    wbits=st.integers(1, 8),
    abits=st.integers(1, 8),
    image_channels=st.sampled_from([1, 3]),
    extreme=st.booleans(),
)
def test_equals_definition(seed, height, width, depth, wbits, abits, image_channels, extreme):
    rng = np.random.default_rng(seed)
    network = random_network(
        rng, (2, 3)[:depth], (height, width), wbits, abits, image_channels, extreme=extreme
    )
    check(network, random_image(rng, (height, width), image_channels))


KINDS = ["unsigned", "signed", "ternary", "sign"]
WEIGHTS = [("fixed", 1), ("fixed", 4), ("fixed", 12), ("ternary", 2), ("power", 4), ("power", 7)]


@settings(max_examples=6)
@pytest.mark.parametrize("activations", KINDS)
@pytest.mark.parametrize(("weights", "wbits"), WEIGHTS)
@given(
    seed=st.integers(0, 1 << 32),
    abits=st.integers(1, 12),
    depth=st.integers(1, 2),
    extreme=st.booleans(),
    multipliers=st.booleans(),
)
def test_every_kind_equals_definition(
    weights, wbits, activations, seed, abits, depth, extreme, multipliers
):
    rng = np.random.default_rng(seed)
    network = random_network(
        rng,
        (2, 3)[:depth],
        (5, 6),
        wbits,
        abits,
        extreme=extreme,
        weights=weights,
        activations=activations,
        end_weights=weights,
        multipliers=multipliers,
    )
    check(network, random_image(rng, (5, 6)))


def test_sign_border_is_minus_one():
    """One pixel: all eight taps around it read the padding."""
    codes, zero = np.ones((1, 1, 3, 3), np.int8), np.zeros(1, np.int64)
    weight, names = WeightFormat(1), ("sign", "image", "sign")
    sign = Conv(*names, weight, codes, zero, zero, SignActivation())
    wide = Conv("sum", "sign", "sum", weight, codes, zero, zero, SignedActivation(8))
    head = Head("head", "sum", "logit", weight, np.ones(1, np.int8), 0, 0)
    network = Network(FixedFormat(8), 1, (sign, wide, head), (1, 1))
    _, tensors = run_network(network, np.full((1, 1, 1), 200, np.uint8), keep=True)
    assert tensors["sign"].tolist() == [[[1]]]
    assert tensors["sum"].tolist() == [[[1 - 8]]]


def test_negative_codes_pool_at_odd_ends():
    pool = MaxPool("pool", "x", "pool")
    info = [TensorInfo("x", 3, 3, 1, SignedActivation(4))]
    x = np.full((3, 3, 1), -5)
    assert run_op(pool, [x], info).tolist() == [[[-5], [-5]], [[-5], [-5]]]


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (7, 11), (8, 8)])
def test_odd_sizes_pool_what_there_is(size):
    rng = np.random.default_rng(1)
    network = random_network(rng, (2, 2, 2), (8, 8), 4, 6)
    check(network, random_image(rng, size))


@pytest.mark.parametrize("widths", [(1, 1, 1), (3, 5, 4), (8, 2, 7)])
def test_other_image_and_layer_widths(widths):
    first, last, ibits = widths
    rng = np.random.default_rng(2)
    network = random_network(
        rng, (3,), (6, 5), 2, 3, first_wbits=first, last_wbits=last, ibits=ibits
    )
    check(network, random_image(rng, (6, 5), bits=ibits))


@pytest.mark.parametrize("value", [0, 255])
def test_flat_images(value):
    network = random_network(5, (3,), (6, 6), 8, 8, extreme=True)
    check(network, np.full((6, 6, 1), value, np.uint8))


def test_random_networks_are_lively():
    """The helper other tests build on: few layers all zero or all saturated."""
    for seed, (wbits, abits) in enumerate([(1, 1), (1, 4), (2, 2), (4, 6), (8, 8)]):
        rng = np.random.default_rng(seed)
        network = random_network(rng, (4, 6), (24, 24), wbits, abits)
        mask, tensors = run_network(network, random_image(rng, (24, 24)), keep=True)
        for op in network.convs:
            codes = tensors[op.output]
            assert 0.05 < (codes == 0).mean() < 0.95
            assert (codes == op.out.max).mean() < 0.6
        assert 0.02 < mask.mean() < 0.98


@pytest.mark.parametrize("activations", KINDS)
@pytest.mark.parametrize(("weights", "wbits"), WEIGHTS)
def test_random_networks_of_other_kinds_are_lively(weights, wbits, activations):
    rng = np.random.default_rng(wbits)
    kinds = {"weights": weights, "activations": activations, "multipliers": True}
    network = random_network(rng, (4, 6), (24, 24), wbits, 4, **kinds)
    mask, tensors = run_network(network, random_image(rng, (24, 24)), keep=True)
    for op in network.convs:
        assert np.bincount(tensors[op.output].reshape(-1) - op.out.min).max() < 0.95 * 24 * 24 * 6
        assert len(np.unique(tensors[op.output])) > 1
    assert 0.02 < mask.mean() < 0.98


def test_logits_alone_unless_kept():
    network = random_network(0, (2,), (4, 4), 4, 4)
    mask, tensors = run_network(network, random_image(np.random.default_rng(0), (4, 4)))
    assert list(tensors) == ["logit"]
    assert ((tensors["logit"][:, :, 0] >= 0) == mask).all()


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3), (1, 4, 4, 1)])
def test_image_of_wrong_shape(shape):
    network = random_network(0, (2,), (4, 4), 4, 4)
    with pytest.raises(FxhwError, match=r"^Image must have shape \(height, width, 1\), not \("):
        run_network(network, np.zeros(shape, np.uint8))


def test_image_codes_outside_format():
    network = random_network(0, (2,), (4, 4), 4, 4, ibits=4)
    with pytest.raises(FxhwError, match=r"^Image codes must lie in 0 \.\. 15, not 16 \.\. 16$"):
        run_network(network, np.full((4, 4, 1), 16, np.uint8))


@pytest.mark.slow
def test_full_size_takes_seconds():
    rng = np.random.default_rng(0)
    network = random_network(rng, (64, 128, 256), (200, 200), 4, 6)
    assert round(sum(network.macs().values()) / 1e9, 1) == 22.9
    image = random_image(rng, (200, 200))
    start = time.perf_counter()
    run_network(network, image)
    assert time.perf_counter() - start < 30
