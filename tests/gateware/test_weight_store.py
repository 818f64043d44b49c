"""WeightStore: words written in beats come back whole; a bank loads while the other is read."""

import random

import pytest
from amaranth.sim import Simulator

from fxhw.gateware.weight_store import BLOCK_BITS, WeightStore, stored_parts


@pytest.mark.parametrize("bus_bits", [32, 64, 128])
@pytest.mark.parametrize(
    ("word_bits", "depth", "banks"),
    [(5, 1, 1), (70, 3, 1), (64, 5, 2), (36, 2, 1), (129, 2, 2), (301, 3, 2), (1152, 2, 1)],
)
def test_words(word_bits, depth, banks, bus_bits):
    dut = WeightStore(word_bits, depth, bus_bits, banks)
    rng = random.Random(word_bits)
    mask = (1 << bus_bits) - 1
    words = {(b, w): rng.getrandbits(word_bits) for b in range(banks) for w in range(depth)}

    async def bench(ctx):
        for enable in (1, 0):  # the second pass must leave no trace
            ctx.set(dut.enable, enable)
            ctx.set(dut.load.valid, 1)
            for (bank, word), value in words.items():
                for beat in range(-(-word_bits // bus_bits)):
                    data = value >> (bus_bits * beat) & mask
                    ctx.set(dut.load.bank, bank)
                    ctx.set(dut.load.word, word)
                    ctx.set(dut.load.beat, beat)
                    ctx.set(dut.load.data, data if enable else data ^ mask)
                    await ctx.tick()
        ctx.set(dut.load.valid, 0)
        await ctx.tick()  # the last beat is on its way
        for (bank, word), value in words.items():
            ctx.set(dut.bank, bank)
            ctx.set(dut.address, word)
            await ctx.tick().repeat(2)
            assert ctx.get(dut.word) == value

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(
    ("word_bits", "section_bits"), [(301, 100), (129, 36), (1152, 288), (70, 69)]
)
def test_sections_come_one_after_the_other(word_bits, section_bits):
    """A word for every cycle, and each section of it a cycle later than the one before."""
    bus_bits, depth = 64, 6
    dut = WeightStore(word_bits, depth, bus_bits, section_bits=section_bits)
    rng = random.Random(word_bits)
    words = [rng.getrandbits(word_bits) for _ in range(depth)]
    read = []

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        ctx.set(dut.load.valid, 1)
        for word, value in enumerate(words):
            for beat in range(-(-word_bits // bus_bits)):
                ctx.set(dut.load.word, word)
                ctx.set(dut.load.beat, beat)
                ctx.set(dut.load.data, value >> (bus_bits * beat) & ((1 << bus_bits) - 1))
                await ctx.tick()
        ctx.set(dut.load.valid, 0)
        await ctx.tick()
        for cycle in range(2 + depth + word_bits // section_bits):
            ctx.set(dut.address, min(cycle, depth - 1))
            read.append(ctx.get(dut.word))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    for late, low in enumerate(range(0, word_bits, section_bits)):
        mask = ((1 << min(section_bits, word_bits - low)) - 1) << low
        came = [word & mask for word in read[2 + late : 2 + late + depth]]
        assert came == [word & mask for word in words], late


@pytest.mark.parametrize(("word_bits", "blocks"), [(2304, 64), (576, 16), (70, 2)])
def test_no_part_of_a_block_ram_is_wasted(word_bits, blocks):
    widths = [high - low for low, high in stored_parts(word_bits, 64)]
    assert sum(widths) == word_bits
    assert sum(-(-width // BLOCK_BITS) for width in widths) == blocks
