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
        for (bank, word), value in words.items():
            ctx.set(dut.bank, bank)
            ctx.set(dut.address, word)
            await ctx.tick().repeat(2)
            assert ctx.get(dut.word) == value

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(("word_bits", "blocks"), [(2304, 64), (576, 16), (70, 2)])
def test_no_part_of_a_block_ram_is_wasted(word_bits, blocks):
    widths = [high - low for low, high in stored_parts(word_bits, 64)]
    assert sum(widths) == word_bits
    assert sum(-(-width // BLOCK_BITS) for width in widths) == blocks
