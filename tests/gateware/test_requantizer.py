# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.sim import Simulator

from fxhw.fixed import FixedFormat, Requantize, SignActivation, TernaryActivation
from fxhw.gateware.requantizer import Requantizer

from .simulate import plain

SPECS = [
    Requantize(20, FixedFormat(6)),
    Requantize(20, FixedFormat(8, signed=True)),
    Requantize(20, FixedFormat(1)),
    Requantize(33, FixedFormat(8)),
    Requantize(3, FixedFormat(8)),  # every sum fits: the clamp has nothing to do
    Requantize(6, FixedFormat(4, signed=True)),
    Requantize(6, FixedFormat(1, signed=True)),
    Requantize(1, FixedFormat(1)),
    Requantize(20, FixedFormat(6), 4),
    Requantize(9, FixedFormat(8, signed=True), 16),
    Requantize(33, FixedFormat(8), 12),
    Requantize(2, FixedFormat(8), 2),  # every sum fits
    Requantize(1, FixedFormat(1), 1),  # one is the only multiplier
    Requantize(20, TernaryActivation()),
    Requantize(2, TernaryActivation()),
    Requantize(9, TernaryActivation(), 5),
    Requantize(20, SignActivation()),
    Requantize(1, SignActivation()),
    Requantize(9, SignActivation(), 5),
]


def rtl(spec, acc, bias, shift, multiplier=None, valid=None):
    """Result codes and valid flags of ``Requantizer(spec)``, ``latency`` cycles later.

    Without biases it is one that is given accumulators that hold them.
    """
    dut = Requantizer(spec, acc.shape[1], bias is None)
    valid = np.ones(len(acc), int) if valid is None else valid
    ports, operands = [dut.i_acc], [acc]
    if bias is not None:
        ports.append(dut.i_bias)
        operands.append(bias)
    if spec.shift_width:
        ports.append(dut.i_shift)
        operands.append(shift)
    if multiplier is not None:
        ports.append(dut.i_multiplier)
        operands.append(multiplier)
    words, flags = [], []

    async def bench(ctx):
        idle = [(0, *(np.zeros(acc.shape[1], int),) * len(ports))] * dut.latency
        for cycle, (v, *codes) in enumerate([*zip(valid, *operands), *idle]):
            ctx.set(dut.i_valid, int(v))
            for port, code in zip(ports, codes):
                ctx.set(port, code.tolist())
            _, _, flag, word = await ctx.tick().sample(dut.o_valid, dut.o)
            if cycle >= dut.latency:
                flags.append(flag)
                words.append(plain(word))
            else:
                assert not flag

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return spec.out.decode(np.array(words) & ((1 << spec.out.width) - 1)), np.array(flags)


def corners(low, high):
    return [v for v in dict.fromkeys([low, low + 1, -1, 0, 1, high - 1, high]) if low <= v <= high]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_extreme_operands(spec):
    values = [
        corners(spec.acc.min, spec.acc.max),
        corners(spec.bias.min, spec.bias.max),
        range(spec.max_shift + 1),
    ]
    if spec.mul_bits:
        values.append(dict.fromkeys([1, spec.max_multiplier // 3 + 1, spec.max_multiplier]))
    operands = [a.reshape(-1, 1) for a in np.meshgrid(*map(list, values))]
    words, _ = rtl(spec, *operands)
    np.testing.assert_array_equal(words, spec.compute(*operands))


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("lanes", [1, 8])
def test_random_operands_with_gaps(spec, lanes):
    rng = np.random.default_rng(5)
    acc = rng.integers(spec.acc.min, spec.acc.max + 1, (100, lanes))
    bias = rng.integers(spec.bias.min, spec.bias.max + 1, (100, lanes))
    shift = rng.integers(0, spec.max_shift + 1, (100, lanes))
    multiplier = None
    if spec.mul_bits:
        multiplier = rng.integers(1, spec.max_multiplier + 1, (100, lanes))
    valid = rng.integers(0, 2, 100)
    words, flags = rtl(spec, acc, bias, shift, multiplier, valid)
    expected = spec.compute(acc, bias, shift, multiplier)
    np.testing.assert_array_equal(flags, valid)
    np.testing.assert_array_equal(words, expected)
    if not spec.mul_bits:
        words, flags = rtl(spec, acc + bias, None, shift, None, valid)
        np.testing.assert_array_equal(flags, valid)
        np.testing.assert_array_equal(words, expected)


def test_rounding_bias_rounds_half_up():
    spec = Requantize(8, FixedFormat(8, signed=True))
    acc = np.array([[-6, -5, -4, -2, 2, 4, 5, 6]])
    shift = np.full_like(acc, 2)
    words, _ = rtl(spec, acc, spec.rounding_bias(shift), shift)
    assert words.tolist() == [[-1, -1, -1, 0, 1, 1, 1, 2]]


def test_shift_above_maximum_is_harmless():
    spec = Requantize(4, FixedFormat(3, signed=True))
    assert spec.shift_width == 3
    acc = np.array([[-8, 7]])
    words, _ = rtl(spec, acc, np.zeros_like(acc), np.full_like(acc, 7))
    assert words.tolist() == [[-1, 0]]


def test_three_quarters_by_multiplier():
    spec = Requantize(8, FixedFormat(8, signed=True), 2)
    acc = np.array([[-6, -2, -1, 1, 2, 4, 127, -128]])
    shift = np.full_like(acc, 2)
    words, _ = rtl(spec, acc, spec.rounding_bias(shift), shift, np.full_like(acc, 3))
    assert words.tolist() == [[-4, -1, -1, 1, 2, 3, 95, -96]]


def test_two_comparators():
    """A ternary result is 1 from 2**shift on, which is half a step above the bias, -1 below 0."""
    spec = Requantize(8, TernaryActivation())
    acc = np.arange(-9, 10).reshape(-1, 1)
    shift = np.full_like(acc, 3)
    words, _ = rtl(spec, acc, spec.rounding_bias(shift), shift)
    assert words.reshape(-1).tolist() == [-1] * 5 + [0] * 8 + [1] * 6


def test_a_sign_has_no_shift():
    dut = Requantizer(Requantize(8, SignActivation()), 1)
    assert "i_shift" not in dut.signature.members
    words, _ = rtl(dut.spec, np.array([[-4], [-3], [-2]]), np.array([[3]] * 3), None)
    assert words.reshape(-1).tolist() == [-1, 1, 1]


def test_latency_and_ports_follow_the_multiplier():
    plain, multiplied = (Requantizer(Requantize(8, FixedFormat(4), bits), 1) for bits in (0, 3))
    assert (plain.latency, multiplied.latency) == (3, 4)
    assert Requantizer(plain.spec, 1, biased=True).latency == 2
    assert "i_multiplier" not in plain.signature.members
    assert not hasattr(plain, "i_multiplier")


def test_a_bias_before_the_multiplier():
    with pytest.raises(ValueError, match="must not be biased with a multiplier of 3 bits"):
        Requantizer(Requantize(8, FixedFormat(4), 3), 1, biased=True)


def test_spec_wrong():
    with pytest.raises(TypeError, match=r"^Requantizer spec must be a Requantize, not 20$"):
        Requantizer(20, 1)


@pytest.mark.parametrize("lanes", [0, 1.0])
def test_lanes_wrong(lanes):
    with pytest.raises(ValueError, match=r"^Requantizer lanes must be a positive integer, not "):
        Requantizer(SPECS[0], lanes)
