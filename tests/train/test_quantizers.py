"""Every fake quantizer against the number contract, code by code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

torch = pytest.importorskip("torch")

from fxhw.fixed import ActivationFormat, PaperFormat, Requantize  # noqa: E402
from fxhw.train.quantizers import ActivationQuantizer, weight_quantizer  # noqa: E402
from fxhw.train.quantizers.activation import activation_code, best_frac  # noqa: E402
from fxhw.train.quantizers.paper import paper_quantize  # noqa: E402
from fxhw.train.quantizers.straight import (  # noqa: E402
    bias_code,
    power_of_two,
    quantize_bias,
    straight_through,
)
from fxhw.train.quantizers.ternary import THRESHOLD  # noqa: E402

pytestmark = pytest.mark.train

LOW = torch.tensor(-8)

NAMES = [("fixed", bits) for bits in (1, 2, 3, 4, 8, 16)] + [
    ("ternary", 2), ("binary", 1), ("inq", 3), ("inq", 5), ("inq", 7),
]

numbers = st.one_of(
    st.floats(-4, 4, width=32),
    st.floats(-1e9, 1e9, width=32),
    st.integers(-64, 64).map(lambda n: n / 16),
    st.sampled_from([0.0, -0.0, 1e-30, -1e-30, 0.49999997, 0.75, 1.5, 3.0]),
)


def weights_of(values):
    """(channels, n, 1, 1) float64 weights."""
    return torch.from_numpy(np.asarray(values, np.float64)).view(3, -1, 1, 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_powers_of_two_are_exact(dtype):
    exponents = torch.arange(-120, 121)
    powers = power_of_two(exponents, torch.zeros((), dtype=dtype))
    assert powers.dtype == dtype
    assert powers.tolist() == [2.0**e for e in exponents.tolist()]


@settings(max_examples=60)
@given(
    values=arrays(np.float32, (3, 8), elements=numbers),
    which=st.sampled_from(NAMES),
    frac=st.lists(st.integers(-6, 10), min_size=3, max_size=3),
)
def test_weights_equal_the_reference(values, which, frac):
    name, bits = which
    w = weights_of(values)
    quantizer = weight_quantizer(name, bits, w.shape)
    quantizer.exponent.data.copy_(torch.tensor(frac))
    frac = quantizer.frac(LOW)
    threshold = None
    if name == "ternary":
        threshold = THRESHOLD * w.abs().flatten(1).mean(dim=1).numpy()
    expected = quantizer.format.nearest(w.numpy(), frac.numpy(), threshold)
    codes = quantizer.codes(w, frac.view(-1, 1, 1, 1))
    np.testing.assert_array_equal(codes.numpy(), expected)
    assert quantizer.format.contains(expected)
    values = expected * np.exp2(-frac.numpy().astype(float)).reshape(-1, 1, 1, 1)
    np.testing.assert_array_equal(quantizer(w, LOW).detach().numpy(), values)


@settings(max_examples=60)
@given(
    values=arrays(np.float32, 40, elements=numbers),
    kind=st.sampled_from(["relu", "tanh", "ternary", "sign"]),
    bits=st.integers(2, 16),
    exponent=st.floats(-6, 12),
)
def test_activations_equal_the_reference(values, kind, bits, exponent):
    quantizer = ActivationQuantizer(kind, bits)
    quantizer.calibrate(torch.zeros(1))
    if kind == "relu":
        quantizer.exponent.data.fill_(exponent)
    x = torch.from_numpy(values.astype(np.float64))
    codes = quantizer.format.nearest(values)
    np.testing.assert_array_equal(quantizer.codes(x).numpy(), codes)
    np.testing.assert_array_equal(quantizer(x).detach().numpy(), codes * quantizer.format.step)


@settings(max_examples=100)
@given(
    values=arrays(np.float32, 40, elements=numbers),
    integer=st.integers(0, 8),
    fraction=st.integers(0, 8),
)
def test_the_papers_quantizer_equals_its_reference(values, integer, fraction):
    x = torch.from_numpy(values.astype(np.float64))
    expected = PaperFormat(integer, fraction).compute(values.astype(np.float64))
    np.testing.assert_array_equal(paper_quantize(x, integer, fraction).numpy(), expected)


def test_the_papers_gradient_is_the_identity():
    x = torch.tensor([-9.0, 0.3, 1.03], requires_grad=True)
    paper_quantize(x, 0, 4).sum().backward()
    assert x.grad.tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", ["relu", "tanh", "ternary", "sign"])
@pytest.mark.parametrize("bits", [2, 6, 8, 16])
@pytest.mark.parametrize("shift", [0, 1, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_activations_equal_clamp_shift_for_every_sum(kind, bits, shift, dtype):
    acc = np.arange(-3000, 12000)
    fmt = ActivationQuantizer(kind, bits).shape
    shift = 0 if kind == "sign" else shift
    expected = Requantize(16, fmt).compute(
        acc, 0 if kind == "sign" else Requantize.rounding_bias(shift), shift
    )
    # The accumulator has shift more fraction bits than the result.
    values = torch.tensor(acc, dtype=dtype) * 2.0 ** -(fmt.frac + shift)
    np.testing.assert_array_equal(activation_code(values, fmt, fmt.frac).numpy(), expected)


def test_biases_lose_their_fraction_and_are_not_clamped():
    frac, half = torch.tensor([1, 1, 1, 1]), torch.tensor([False, False, False, True])
    codes = bias_code(torch.tensor([1e6, -0.3, 0.4, 0.4]), frac, half)
    assert codes.tolist() == [2e6, -1, 0, 1]
    b = torch.tensor([1e9], requires_grad=True)
    quantize_bias(b, torch.tensor([2]), False).sum().backward()
    assert b.grad.tolist() == [1]


@pytest.mark.parametrize("shift", [1, 3])
@pytest.mark.parametrize("kind", ["relu", "tanh", "ternary", "sign"])
def test_the_fraction_of_a_bias_plays_no_part(kind, shift):
    """Codes of real sums are those of whole ones: what makes folding exact."""
    fmt = ActivationQuantizer(kind, 4).shape
    sums = torch.arange(-200, 200, dtype=torch.float64)
    frac = torch.tensor(fmt.frac + (0 if kind == "sign" else shift))
    unit = 2.0 ** -float(frac)
    for bias in torch.linspace(-3, 3, 61, dtype=torch.float64) + 1e-6:
        rounded = bias_code(bias, frac, False) * unit
        codes = [activation_code(sums * unit + b, fmt, fmt.frac) for b in (bias, rounded)]
        np.testing.assert_array_equal(*codes)


def test_gradients_pass_where_the_code_is_not_clamped():
    quantizer = ActivationQuantizer("relu", 4)
    quantizer.calibrate(torch.zeros(1))
    quantizer.exponent.data.fill_(2.0)
    x = torch.tensor([-1.0, 0.2, 3.0, 3.75, 5.0], requires_grad=True)
    quantizer(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]
    fixed = weight_quantizer("fixed", 4, (1, 5))
    fixed.exponent.data.fill_(2.0)
    w = torch.tensor([[-3.0, -2.0, 0.3, 1.75, 1.9]], requires_grad=True)
    fixed(w, LOW).sum().backward()
    assert w.grad.tolist() == [[0, 1, 1, 1, 0]]


def test_the_binary_point_gets_the_gradient_of_its_step():
    """Against the difference quotient of what the quantizer does with its rounding frozen."""
    x = torch.tensor([-1.0, 0.3, 0.8, 2.2, 9.0], dtype=torch.float64)
    exponent = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    frac = torch.tensor(1)
    fmt = ActivationFormat(3)
    codes = activation_code(x, fmt, frac)
    straight_through(x, exponent, frac, codes, fmt.min, fmt.max).square().sum().backward()
    scaled = x * 2
    offset = torch.where((scaled >= 0) & (scaled <= 7), codes - scaled, torch.zeros_like(x))
    base = torch.where((scaled >= 0) & (scaled <= 7), x, torch.zeros_like(x))
    clamped = torch.where((scaled >= 0) & (scaled <= 7), torch.zeros_like(x), codes)

    def value(e):
        return ((base + (offset + clamped) * 2.0**-e).square()).sum()

    slope = (value(1 + 1e-6) - value(1 - 1e-6)) / 2e-6
    assert exponent.grad.item() == pytest.approx(slope.item(), rel=1e-6)


@pytest.mark.parametrize(("name", "bits"), [("fixed", 3), ("ternary", 2), ("binary", 1)])
def test_the_weights_binary_point_has_the_least_error_of_all(name, bits):
    weight = torch.randn(6, 3, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    weight *= 2.0 ** -torch.arange(6).view(-1, 1, 1, 1)
    quantizer = weight_quantizer(name, bits, weight.shape)
    quantizer.start(weight, torch.tensor(-4))

    def error(channel, frac):
        codes = quantizer.codes(weight, torch.tensor(frac))[channel]
        return float((codes * 2.0**-frac - weight[channel]).square().sum())

    for channel, frac in enumerate(quantizer.frac(torch.tensor(-4)).tolist()):
        assert error(channel, frac) == min(error(channel, other) for other in range(-4, 13))
    # The least binary point allowed binds.
    assert quantizer.frac(torch.tensor(20)).tolist() == [20] * 6


def test_the_activations_binary_point_covers_the_values():
    values = torch.linspace(-4, 4, 1000)
    assert best_frac(values, ActivationFormat(6)) == 4
    assert best_frac(values / 16, ActivationFormat(6)) == 8


def test_binary_latent_weights_stay_where_they_can_change():
    quantizer = weight_quantizer("binary", 1, (2, 1, 1, 1))
    quantizer.exponent.data.copy_(torch.tensor([2.0, 0.0]))
    w = torch.tensor([5.0, -0.5]).view(2, 1, 1, 1)
    quantizer.restrict(w, LOW)
    assert w.flatten().tolist() == [0.75, -0.5]


def test_inq_freezes_the_largest_for_good():
    w = torch.tensor([[0.9, -0.5, 0.3, 0.1]])
    quantizer = weight_quantizer("inq", 3, w.shape)
    quantizer.start(w, LOW)
    quantizer.thaw()
    np.testing.assert_array_equal(quantizer(w, LOW), w)
    quantizer.freeze(w, 0.5, LOW)
    assert w[0].tolist() == pytest.approx([1.0, -0.5, 0.3, 0.1])
    w[0, 3] = 7.0  # outgrew the frozen ones, but comes after them
    quantizer.freeze(w, 0.75, LOW)
    assert quantizer.frozen.tolist() == [[True, True, False, True]]
    assert w[0].tolist() == pytest.approx([1.0, -0.5, 0.3, 1.0])
    latent = w.clone().requires_grad_()
    quantizer(latent, LOW).sum().backward()
    assert latent.grad.tolist() == [[0, 0, 1, 0]]
