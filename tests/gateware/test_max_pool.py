# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.sim import Simulator

from fxhw.fixed import SignActivation, SignedActivation, TernaryActivation
from fxhw.gateware.max_pool import MaxPool

from .simulate import plain, run_stream, simulate_stream


def pool(image):
    """2x2 maximum in ceil mode of an ``(h, w, c)`` array of codes."""
    height, width, channels = image.shape
    image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return image.reshape(-(-height // 2), 2, -(-width // 2), 2, channels).max(axis=(1, 3))


def rtl(image, lanes, bits, *, maps=1, signed=False, **options):
    """``maps`` times ``image``, pooled by one component started once."""
    height, width, channels = image.shape
    groups = channels // lanes
    dut = MaxPool(bits, lanes, -(-width // 2) * groups, signed=signed)
    words = image.reshape(-1, lanes).tolist() * maps
    count = -(-height // 2) * -(-width // 2) * groups
    out = run_stream(
        dut, words, count * maps,
        setup={"width": width, "height": height, "groups": groups}, pulse=["start"], **options,
    )
    return np.array(out).reshape(maps, -(-height // 2), -(-width // 2), channels)


def random_image(height, width, channels, bits, seed=1):
    return np.random.default_rng(seed).integers(0, 1 << bits, (height, width, channels))


SIZES = [(1, 1), (1, 4), (4, 1), (2, 2), (3, 3), (3, 2), (2, 5), (5, 6)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize(("idle", "stall"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.8), (0.4, 0.6)])
def test_equals_reference(size, groups, idle, stall):
    image = random_image(*size, 2 * groups, bits=6)
    out = rtl(image, 2, 6, maps=2, idle=idle, stall=stall, seed=3)
    np.testing.assert_array_equal(out, [pool(image)] * 2)


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("size", [(2, 2), (3, 3)])
def test_maximum_is_found_wherever_it_lies(position, size):
    image = np.zeros((*size, 1), int)
    image[divmod(position, 2)] = 15
    assert rtl(image, 1, 4)[0, 0, 0, 0] == 15


def test_one_bit_codes():
    image = random_image(6, 7, 8, bits=1)
    np.testing.assert_array_equal(rtl(image, 8, 1)[0], pool(image))


@pytest.mark.parametrize(
    "form", [SignedActivation(1), SignedActivation(4), TernaryActivation()], ids=lambda f: f.name
)
@pytest.mark.parametrize("groups", [1, 2])
def test_signed_codes(form, groups):
    codes = np.random.default_rng(2).integers(form.min, form.max + 1, (7, 9, 2 * groups))
    out = rtl(form.encode(codes), 2, form.width, signed=True, idle=0.3, stall=0.3, seed=1)
    np.testing.assert_array_equal(form.decode(out[0]), pool(codes))


def test_all_pairs_of_signed_codes():
    form = SignedActivation(3)
    codes = np.array([[a, b] for a in range(-4, 4) for b in range(-4, 4)]).reshape(1, -1, 1)
    out = rtl(form.encode(codes), 1, 3, signed=True)
    np.testing.assert_array_equal(form.decode(out[0]), pool(codes))


def test_signs_are_stored_in_their_order():
    form = SignActivation()
    codes = form.decode(random_image(5, 6, 2, bits=1))
    np.testing.assert_array_equal(form.decode(rtl(form.encode(codes), 2, 1)[0]), pool(codes))


@pytest.mark.parametrize("abandoned", [0, 1, 7, 30])
def test_start_after_a_map_of_another_size(abandoned):
    """The second map comes out right wherever the first one was left."""
    dut = MaxPool(8, 1, 8)
    out = []

    async def feed(ctx, image, count):
        height, width, groups = image.shape
        for name, value in {"width": width, "height": height, "groups": groups}.items():
            ctx.set(getattr(dut, name), value)
        await ctx.tick().repeat(7)  # the last words leave
        out.clear()
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.i.valid, 1)
        for word in image.reshape(-1, 1).tolist()[:count]:
            ctx.set(dut.i.payload, word)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)

    second = random_image(4, 4, 1, bits=8, seed=2)

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        await feed(ctx, random_image(3, 5, 2, bits=8), abandoned)
        await feed(ctx, second, 16)
        await ctx.tick().repeat(6)

    async def collect(ctx):
        async for _, _, valid, word in ctx.tick().sample(dut.o.valid, dut.o.payload):
            out.extend(plain(word) if valid else [])

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.add_testbench(collect, background=True)
    simulator.run()
    assert out == pool(second).reshape(-1).tolist()


@pytest.mark.parametrize("groups", [1, 2])
def test_one_word_per_cycle_and_latency(groups):
    dut = MaxPool(4, 1, 4 * groups)
    height, width = 4, 8
    run = simulate_stream(
        dut, [[0]] * (height * width * groups), height * width * groups // 4,
        setup={"width": width, "height": height, "groups": groups}, pulse=["start"],
    )
    assert run.taken["i"] == list(range(height * width * groups))
    assert run.given["o"][0] == width * groups + groups + 6
    assert run.given["o"][-1] == height * width * groups - 1 + 6


@pytest.mark.parametrize(
    ("arguments", "what"),
    [((0, 1, 1), "code width"), ((1, 0, 1), "lanes"), ((1, 1, 0), "row words")],
)
def test_parameters_wrong(arguments, what):
    with pytest.raises(ValueError, match=f"^Max-pool {what} must be a positive integer, not 0$"):
        MaxPool(*arguments)
