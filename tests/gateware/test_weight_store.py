"""WeightStore: words written in beats come back whole; a bank loads while the other is read."""

import random

import pytest
from amaranth.sim import Simulator

from fxhw.gateware.weight_store import WeightStore


@pytest.mark.parametrize(("word_bits", "depth", "banks"), [(5, 1, 1), (70, 3, 1), (64, 5, 2)])
def test_words(word_bits, depth, banks):
    dut = WeightStore(word_bits, depth, 32, banks)
    rng = random.Random(word_bits)
    words = {(b, w): rng.getrandbits(word_bits) for b in range(banks) for w in range(depth)}

    async def bench(ctx):
        for enable in (1, 0):  # the second pass must leave no trace
            ctx.set(dut.enable, enable)
            ctx.set(dut.load.valid, 1)
            for (bank, word), value in words.items():
                for beat in range(-(-word_bits // 32)):
                    data = (value >> (32 * beat)) & 0xFFFF_FFFF
                    ctx.set(dut.load.bank, bank)
                    ctx.set(dut.load.word, word)
                    ctx.set(dut.load.beat, beat)
                    ctx.set(dut.load.data, data if enable else data ^ 0xFFFF_FFFF)
                    await ctx.tick()
        ctx.set(dut.load.valid, 0)
        for (bank, word), value in words.items():
            ctx.set(dut.bank, bank)
            ctx.set(dut.address, word)
            await ctx.tick()
            assert ctx.get(dut.word) == value

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
