"""DescriptorCheck of every kind, with and without multipliers, and against its specification."""

import random
from dataclasses import replace

import pytest
from amaranth.sim import Simulator

from fxhw.gateware.descriptor import field_bits
from fxhw.gateware.descriptor_check import DescriptorCheck
from fxhw.plan import ErrorCode, compile_network, design_for
from fxhw.plan.preparation import check_descriptor, next_place, prepare_cycles
from fxhw.plan.program import DESCRIPTOR_WORDS, Kernel, split_beats
from tests.networks import random_network
from tests.plan.test_preparation import damage, striped

LATENCY = 4
"""Cycles from the last beat to ``done`` beside the operations."""


def check(design, programs):
    """(codes, steps) that every descriptor, given as bits, of ``programs`` comes to.

    Each program is a list of descriptors and ends at the first error.  Sections of parameters
    take three cycles each.
    """
    dut = DescriptorCheck(design)
    results = []

    async def one(ctx, bits, place):
        ctx.set(dut.stop, 1)
        await ctx.tick().repeat(2)
        ctx.set(dut.stop, 0)
        ctx.set(dut.place, place)
        for beat in split_beats(bits, 32 * DESCRIPTOR_WORDS, design.bus_bits):
            ctx.set(dut.valid, 1)
            ctx.set(dut.data, beat)
            await ctx.tick()
        ctx.set(dut.valid, 0)
        loads, waited = [], 0
        for cycle in range(40_000):
            waited = waited + 1 if ctx.get(dut.load) else 0
            ctx.set(dut.loaded, waited == 3)
            if waited == 3:
                loads.append((ctx.get(dut.section), ctx.get(dut.last_word)))
            error, done = ctx.get(dut.error), ctx.get(dut.done)
            if error or done:
                step = dut.step
                values = {
                    "width": ctx.get(step.conv.width),
                    "height": ctx.get(step.conv.height),
                    "groups_in": ctx.get(step.conv.groups_in),
                    "groups_out": ctx.get(step.conv.groups_out),
                    "row_words": ctx.get(step.conv.row_words),
                    "words_out": ctx.get(step.words_out),
                    "pixel_stride": ctx.get(step.pixel_stride),
                    "full_base": ctx.get(step.full_base),
                    "pool_base": ctx.get(step.pool_base),
                    "load_address": ctx.get(dut.load_address),
                }
                if design.external:
                    values["columns"] = ctx.get(step.columns)
                for which in "ab":
                    source = step[which]
                    for name in ("base", "row_stride", "groups"):
                        values[f"{name}_{which}"] = ctx.get(source[name])
                return ErrorCode(error), cycle + 1, loads, values
            await ctx.tick()
        raise AssertionError("the check never ends")

    async def bench(ctx):
        for program in programs:
            results.append([])
            place = 0
            for bits in program:
                results[-1].append(await one(ctx, bits, place))
                if results[-1][-1][0]:
                    break
                place = next_place(design, bits, place)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return results


def first_code(design, descriptor):
    """The code that the first descriptor of a program comes to."""
    return check(design, [[descriptor.encode()]])[0][0][0]


def front(mul_bits, weights="fixed", wbits=4, activations="unsigned", abits=4):
    """A design whose multipliers have ``mul_bits``, and the first descriptor of its program."""
    network = random_network(
        0, (2,), (6, 6), wbits, abits, weights=weights, activations=activations
    )
    design = design_for(network, 2, 2, mul_bits=mul_bits)
    return design, compile_network(network, design).descriptors[0]


@pytest.mark.parametrize("mul_bits", [0, 5])
def test_own_program(mul_bits):
    assert first_code(*front(mul_bits)) is ErrorCode.NONE


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
    assert first_code(design, front(program)[1]) is code


def test_kernel_must_be_the_design_s_own():
    design, descriptor = front(5)
    assert first_code(design, replace(descriptor, kernel=Kernel.CONV3X3)) is ErrorCode.KIND


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
def test_program_for_other_kinds(hardware):
    design = replace(front(0, *hardware)[0], parameter_beats=1 << 16)
    programs = [[front(0, *program)[1].encode()] for program in KINDS]
    for program, result in zip(KINDS, check(design, programs), strict=True):
        wanted = ErrorCode.NONE if hardware == program else ErrorCode.FORMAT
        assert result[0][0] is wanted, program


DESIGNS = [
    # (lanes in, lanes out, bits of a beat, changes that make fields long)
    (2, 2, 64, {}),
    (3, 2, 32, {}),
    (2, 3, 128, {"feature_words": 1 << 16, "parameter_beats": 1 << 16}),
    (2, 2, 64, {"feature_words": 200_000, "parameter_beats": 100_000, "pool_words": 1 << 15}),
]


@pytest.mark.parametrize(("pin", "pout", "bus_bits", "changes"), DESIGNS)
def test_as_specified(pin, pout, bus_bits, changes):
    """Codes, cycles, fields and sections of good programs, and the codes of damaged ones."""
    network = random_network(7, (3, 4), (9, 6), 3, 4)
    design = replace(design_for(network, pin, pout, bus_bits=bus_bits), **changes)
    compare(design, compile_network(network, design).descriptors, pin)


@pytest.mark.parametrize(
    ("pin", "pout", "bus_bits", "seed"), [(2, 2, 64, 94), (3, 2, 128, 97)]
)
def test_strips_as_specified(pin, pout, bus_bits, seed):
    """The same with external memory; further FRONTs load nothing."""
    compare(*striped(pin, pout, bus_bits), seed)


def compare(design, descriptors, seed):
    """A program and damaged ones, in hardware and as they should be judged."""
    good = [d.encode() for d in descriptors]
    rng = random.Random(seed)
    programs = [good, *(damage(rng, design, descriptors) for _ in range(14)), good]
    found = set()
    results = check(design, programs)
    for program, result in zip(programs, results, strict=True):
        scratch, place = {}, 0
        for bits, (code, *_) in zip(program, result):
            assert code is check_descriptor(design, bits, place, scratch), place
            found.add(code)
            place = next_place(design, bits, place)
    assert len(found) >= 4
    widths = field_bits(design)
    for result in results[0], results[-1]:
        for d, (_, cycles, loads, values) in zip(descriptors, result, strict=True):
            sections = [(0, d.weight_words - 1), (1, d.requantize_words - 1)]
            assert loads == ([] if d.keep else sections)
            assert cycles == LATENCY + prepare_cycles(design, d) + 2 * len(loads)
            sums = {"groups_in": d.groups_a + d.groups_b}
            sums["row_words"] = sums["groups_in"] * d.width
            for name, value in values.items():
                wanted = sums.get(name, getattr(d, name, None))
                assert value == wanted % (1 << widths[name]), (d.kind, name)
