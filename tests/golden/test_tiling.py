"""Images larger than the network."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxhw.errors import FxhwError
from fxhw.golden import run_network, run_tiled
from fxhw.golden.tiling import tile_origins
from tests.networks import random_image, random_network


@pytest.fixture(scope="module")
def network():
    return random_network(4, (3,), (16, 12), 4, 6)


@given(st.integers(1, 200), st.integers(1, 64), st.data())
def test_origins_cover_every_pixel(length, tile, data):
    overlap = data.draw(st.integers(0, tile - 1))
    origins = tile_origins(length, tile, overlap)
    assert origins == sorted(set(origins))
    covered = {o + i for o in origins for i in range(min(tile, length))}
    assert covered == set(range(length))
    for first, second in zip(origins, origins[1:]):
        assert first + tile - second >= overlap


@pytest.mark.parametrize("size", [(16, 12), (9, 12), (16, 3), (1, 1)])
def test_image_that_fits_runs_whole(network, size):
    image = random_image(np.random.default_rng(1), size)
    seen = []
    mask = run_tiled(network, image, progress=lambda *args: seen.append(args))
    np.testing.assert_array_equal(mask, run_network(network, image)[0])
    assert seen == [(1, 1)]


@pytest.mark.parametrize("overlap", [None, 0, 3, 11])
@pytest.mark.parametrize("size", [(40, 12), (17, 13), (10, 30), (37, 41)])
def test_every_pixel_comes_from_the_tile_that_sees_it_best(network, size, overlap):
    image = random_image(np.random.default_rng(2), size)
    seen = []
    mask = run_tiled(network, image, overlap, lambda *args: seen.append(args))
    height, width = (min(n, t) for n, t in zip(size, network.size))
    tops = tile_origins(size[0], height, height // 4 if overlap is None else overlap)
    lefts = tile_origins(size[1], width, width // 4 if overlap is None else overlap)
    assert seen[-1] == (len(tops) * len(lefts), len(tops) * len(lefts))
    tiles = {
        (top, left): run_network(network, image[top : top + height, left : left + width])[0]
        for top in tops
        for left in lefts
    }

    def depth(position, origin, tile, length):
        ends = [position - origin] if origin else []
        ends += [origin + tile - 1 - position] if origin + tile < length else []
        return min(ends, default=10**6)

    for y in range(size[0]):
        for x in range(size[1]):
            around = {}
            for top, left in tiles:
                if top <= y < top + height and left <= x < left + width:
                    around[top, left] = min(
                        depth(y, top, height, size[0]), depth(x, left, width, size[1])
                    )
            best = [tile for tile, value in around.items() if value == max(around.values())]
            assert mask[y, x] in [tiles[at][y - at[0], x - at[1]] for at in best]


@pytest.mark.parametrize("overlap", [-1, 12, 100])
def test_overlap_wrong(network, overlap):
    image = random_image(np.random.default_rng(3), (40, 40))
    message = rf"^Tiles of 16x12 must overlap by 0 to 11 pixels, not {overlap}$"
    with pytest.raises(FxhwError, match=message):
        run_tiled(network, image, overlap)
