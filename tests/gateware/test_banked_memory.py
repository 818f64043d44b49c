"""BankedMemory == a list, wherever its banks begin; its banks are as few as the blocks allow."""

import random

import pytest
from amaranth.sim import Simulator

from fxhw.gateware.banked_memory import BankedMemory
from fxhw.plan.memory_banks import BLOCK_SHAPES, Bank, MemoryBanks, plan_banks

PLANS = {
    "one bank": MemoryBanks(20, 7, (Bank(0, 20, 32),), None),
    "one word": MemoryBanks(1, 7, (Bank(0, 1, 512),), None),
    "two banks": MemoryBanks(20, 7, (Bank(0, 16, 16), Bank(16, 4, 8)), None),
    "six banks": MemoryBanks(
        47, 7, (*(Bank(8 * n, 8, 8) for n in range(5)), Bank(40, 7, 8)), None
    ),
}


def run(plan, requests, init=()):
    """Words read by ``requests``, a cycle each: (address and word to write, address to read)."""
    dut = BankedMemory(plan, "words", init)
    words, cycles = [], []

    async def drive(ctx):
        for written, read in [*requests, *(plan.latency + 1) * [(None, None)]]:
            ctx.set(dut.write.valid, written is not None)
            if written is not None:
                ctx.set(dut.write.payload, {"address": written[0], "data": written[1]})
            ctx.set(dut.read.enable, read is not None)
            ctx.set(dut.read.address, read or 0)
            await ctx.tick()

    async def collect(ctx):
        cycle = 0
        async for _, _, valid, word in ctx.tick().sample(dut.read.valid, dut.read.data):
            if valid:
                words.append(word)
                cycles.append(cycle)
            cycle += 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.add_testbench(collect, background=True)
    simulator.run()
    asked = [n for n, (_, read) in enumerate(requests) if read is not None]
    assert cycles == [n + plan.latency for n in asked]
    return words


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("busy", [1, 0.5])
def test_equals_a_list(plan, busy):
    rng = random.Random(1)
    model = [rng.getrandbits(7) for _ in range(plan.depth)]
    init, requests, expected = tuple(model), [], []
    for _ in range(400):
        written = (rng.randrange(plan.depth), rng.getrandbits(7)) if rng.random() < busy else None
        read = rng.randrange(plan.depth) if rng.random() < busy else None
        # A write takes place a cycle later than a read; they must not meet.
        before = requests[-1][0] if requests else None
        if before and before[0] == read:
            read = None
        if read is not None:
            expected.append(model[read])
        if before:
            model[before[0]] = before[1]
        requests.append((written, read))
    assert run(plan, requests, init) == expected


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_writes_past_the_end_change_nothing(plan):
    init = tuple(range(plan.depth))
    strays = range(plan.depth, 2 << plan.depth.bit_length())
    requests = [((address, 127), None) for address in strays]
    requests += [(None, address) for address in range(plan.depth)]
    assert run(plan, requests, init) == list(init)


@pytest.mark.parametrize("family", ["ecp5", "xc7", "ice40", "gowin", "generic"])
@pytest.mark.parametrize(
    ("depth", "width"), [(1, 1), (512, 36), (513, 36), (4991, 64), (40960, 48), (6569, 72)]
)
def test_banks_cover_all_words(family, depth, width):
    plan = plan_banks(depth, width, family)
    first = 0
    for bank in plan.banks:
        assert bank.first == first
        assert bank.first % bank.span == 0
        assert bank.span & (bank.span - 1) == 0
        assert 0 < bank.words <= bank.span
        first += bank.words
    assert first == depth
    assert (plan.blocks is None) == (family == "generic")
    if family == "generic":
        assert len(plan.banks) == 1


@pytest.mark.parametrize("family", BLOCK_SHAPES)
def test_no_more_blocks_than_in_one_shape(family):
    rng = random.Random(2)
    for _ in range(200):
        depth, width = rng.randrange(1, 50_000), rng.randrange(1, 100)
        plan = plan_banks(depth, width, family)
        one_shape = [-(-depth // words) * -(-width // bits) for words, bits in BLOCK_SHAPES[family]]
        assert plan.blocks <= min(one_shape)
        by_span = {words: -(-width // bits) for words, bits in BLOCK_SHAPES[family]}
        assert plan.blocks == sum(by_span[bank.span] for bank in plan.banks)


def test_default_design_on_ecp5():
    """Three banks of 48-bit words, where one shape of block takes as many blocks but five banks."""
    features = plan_banks(40960, 48, "ecp5")
    assert [bank.words for bank in features.banks] == [16384, 16384, 8192]
    assert (features.blocks, features.latency) == (120, 6)
    parameters = plan_banks(4991, 64, "ecp5")
    assert [bank.words for bank in parameters.banks] == [4096, 895]
    assert parameters.blocks == 20
