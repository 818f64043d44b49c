"""DescriptorCheck of every kind, with and without multipliers; the other checks: test_faults."""

from dataclasses import replace

import pytest
from amaranth.sim import Simulator

from fxhw.gateware.descriptor_check import DescriptorCheck
from fxhw.plan import ErrorCode, compile_network, design_for
from fxhw.plan.program import Kernel
from tests.networks import random_network


def check(design, descriptor):
    """The code that the first descriptor of a program comes to."""
    dut = DescriptorCheck(design)
    codes = []

    async def bench(ctx):
        ctx.set(dut.descriptor.as_value(), descriptor.encode())
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for _ in range(20):
            _, _, done, code = await ctx.tick().sample(dut.done, dut.error)
            if done:
                codes.append(code)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    (code,) = codes
    return ErrorCode(code)


def front(mul_bits, weights="fixed", wbits=4, activations="unsigned", abits=4):
    """A design whose multipliers have ``mul_bits``, and the first descriptor of its program."""
    network = random_network(
        0, (2,), (6, 6), wbits, abits, weights=weights, activations=activations
    )
    design = design_for(network, 2, 2, mul_bits=mul_bits)
    return design, compile_network(network, design).descriptors[0]


@pytest.mark.parametrize("mul_bits", [0, 5])
def test_own_program(mul_bits):
    assert check(*front(mul_bits)) is ErrorCode.NONE


@pytest.mark.parametrize(
    ("hardware", "program", "code"),
    [
        (0, 5, ErrorCode.KIND),
        (5, 0, ErrorCode.KIND),
        (5, 6, ErrorCode.FORMAT),
        (5, 4, ErrorCode.FORMAT),
    ],
)
def test_program_for_other_multipliers(hardware, program, code):
    design = replace(front(hardware)[0], parameter_beats=1 << 16)
    assert check(design, front(program)[1]) is code


def test_kernel_must_be_the_design_s_own():
    design, descriptor = front(5)
    assert check(design, replace(descriptor, kernel=Kernel.CONV3X3)) is ErrorCode.KIND


KINDS = [
    ("fixed", 2, "signed", 2),
    ("fixed", 2, "unsigned", 2),
    ("ternary", 2, "ternary", 2),
    ("ternary", 2, "unsigned", 2),
    ("power", 3, "unsigned", 2),
    ("fixed", 3, "unsigned", 2),
    ("fixed", 1, "sign", 1),
    ("fixed", 1, "unsigned", 1),
]


@pytest.mark.parametrize("hardware", KINDS)
@pytest.mark.parametrize("program", KINDS)
def test_program_for_other_kinds(hardware, program):
    design = replace(front(0, *hardware)[0], parameter_beats=1 << 16)
    wanted = ErrorCode.NONE if hardware == program else ErrorCode.FORMAT
    assert check(design, front(0, *program)[1]) is wanted
