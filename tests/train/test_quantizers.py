"""The fake quantizers against the number contract, code by code."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fxhw.fixed import ActivationFormat, Requantize, WeightFormat  # noqa: E402
from fxhw.train.calibrate import best_activation_frac, best_weight_frac  # noqa: E402
from fxhw.train.quantizers import (  # noqa: E402
    activation_code,
    bias_code,
    power_of_two,
    quantize,
    weight_code,
)

pytestmark = pytest.mark.train


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_powers_of_two_are_exact(dtype):
    exponents = torch.arange(-120, 121)
    powers = power_of_two(exponents, torch.zeros((), dtype=dtype))
    assert powers.dtype == dtype
    assert powers.tolist() == [2.0**e for e in exponents.tolist()]


@pytest.mark.parametrize("bits", [1, 2, 6, 8])
@pytest.mark.parametrize("shift", [0, 1, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_activations_equal_clamp_shift_for_every_sum(bits, shift, dtype):
    acc = np.arange(-3000, 12000)
    fmt = ActivationFormat(bits, frac=3)
    expected = Requantize(16, fmt).compute(acc, Requantize.rounding_bias(shift), shift)
    # The accumulator has shift more fraction bits than the result.
    values = torch.tensor(acc, dtype=dtype) * 2.0 ** -(fmt.frac + shift)
    np.testing.assert_array_equal(activation_code(values, fmt.frac, fmt).numpy(), expected)
    np.testing.assert_array_equal(
        quantize(values, fmt.frac, fmt).numpy(), expected * fmt.step
    )


@pytest.mark.parametrize("bits", range(1, 9))
def test_every_weight_code_comes_back(bits):
    fmt = WeightFormat(bits)
    codes = [-1, 1] if bits == 1 else list(range(fmt.min, fmt.max + 1))
    values = torch.tensor(codes) * 2.0**-5
    assert weight_code(values, 5, fmt).tolist() == codes
    assert quantize(values, 5, fmt).tolist() == values.tolist()


def test_weights_round_half_to_even_and_clamp():
    values = torch.tensor([-9.0, -8.5, -0.5, 0.5, 1.5, 7.4, 7.6, 100.0])
    assert weight_code(values, 0, WeightFormat(4)).tolist() == [-8, -8, 0, 0, 2, 7, 7, 7]


def test_binary_weights_take_their_sign_and_zero_is_positive():
    assert weight_code(torch.tensor([-0.1, 0.0, 3.0]), 2, WeightFormat(1)).tolist() == [-1, 1, 1]


def test_biases_round_and_do_not_clamp():
    assert bias_code(torch.tensor([1e6, -0.3, 0.4]), 1).tolist() == [2e6, -1, 1]


def test_gradients_pass_where_the_code_is_not_clamped():
    x = torch.tensor([-1.0, 0.2, 3.0, 3.75, 5.0], requires_grad=True)
    quantize(x, 2, ActivationFormat(4)).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]
    w = torch.tensor([-3.0, -2.0, 0.3, 1.75, 1.9], requires_grad=True)
    quantize(w, 2, WeightFormat(4)).sum().backward()
    assert w.grad.tolist() == [0, 1, 1, 1, 0]
    b = torch.tensor([1e9], requires_grad=True)
    quantize(b, 2, None).sum().backward()
    assert b.grad.tolist() == [1]


def test_the_weights_binary_point_has_the_least_error_of_all():
    weight = torch.randn(6, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    weight *= 2.0 ** -torch.arange(6).view(-1, 1, 1, 1)
    fmt = WeightFormat(3)
    best = best_weight_frac(weight, fmt, -4, 12)

    def error(channel, frac):
        w = weight[channel].double()
        return float((weight_code(w, frac, fmt) * 2.0**-frac - w).square().sum())

    for channel, frac in enumerate(best.tolist()):
        assert error(channel, frac) == min(error(channel, other) for other in range(-4, 13))
    assert best_weight_frac(weight, fmt, 3, 4).tolist() == [3, 3, 3, 4, 4, 4]


def test_the_activations_binary_point_covers_the_values():
    values = torch.linspace(-4, 4, 1000)
    assert best_activation_frac(values, ActivationFormat(6)) == 4
    assert best_activation_frac(values / 16, ActivationFormat(6)) == 8
