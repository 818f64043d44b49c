"""Made-up electron-microscopy images: bright cells, dark membranes, vesicles, noise.

They look enough like the ``em`` data for the bundled network to segment, and belong to nobody.
All arithmetic is in integers, and the random numbers come from a hash written out here, so a
seed gives the same pixels on every machine and with every version of NumPy.
"""

import numpy as np

from .errors import FxhwError

__all__ = ["make_sample"]

_SPACING = 32
"""Mean distance in pixels of the grid that cell centres are scattered around."""

_MEMBRANE = 2.4
"""Half the width of a membrane in pixels."""

_ONE = 256
"""Coordinates and weights are in units of 1/256 pixel, so that they stay integers."""


def make_sample(height: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One image and its label.

    Parameters
    ----------
    height, width : size in pixels, at least 1.
    seed : 0 or more; equal arguments give equal pixels.

    Returns
    -------
    image : uint8 (height, width, 1).
    label : bool (height, width), true inside a cell, false on a membrane.

    Raises
    ------
    FxhwError if the size or the seed is out of range.
    """
    if min(height, width) < 1 or seed < 0:
        raise FxhwError(
            f"A synthetic image needs a positive size and a seed of at least 0, "
            f"not {height}x{width} and {seed}"
        )
    size, random = (height, width), _Random(seed)
    warp = [_smooth(size, 26, random) * 7 + _smooth(size, 9, random) for _ in range(2)]
    cell, distance = _cells(size, warp, random)
    inside = distance >= int(_MEMBRANE * _ONE)
    # Brightness in 1/256 grey level: a membrane's dark line, cells of differing brightness.
    tone = random.uniform(int(cell.max()) + 1, -14, 15)[cell]
    ramp = np.clip(distance - _ONE, 0, 3 * _ONE)
    grey = 72 * _ONE + ramp * (84 + tone) // 3
    grey -= _vesicles(size, random) * (distance > 5 * _ONE)
    for spacing, depth in ((40, 20), (9, 14), (3, 30)):
        grey += _smooth(size, spacing, random) * depth
    # Four uniform numbers add up to something close to a Gaussian.
    noise = random.uniform(4 * height * width, -40 * _ONE, 40 * _ONE).reshape(4, *size).sum(axis=0)
    grey += noise * 3 // 8
    return np.clip(grey // _ONE, 0, 255).astype(np.uint8)[:, :, None], inside


class _Random:
    """A stream of uniform integers: SplitMix64 (Steele, Lea and Flood 2014) of a counter."""

    def __init__(self, seed: int):
        self._state = (seed * 0xD1B54A32D192ED03 + 1) % (1 << 64)

    def uniform(self, count: int, low: int, high: int) -> np.ndarray:
        """int64 (count,) in low .. high - 1."""
        z = np.uint64(self._state) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(
            0x9E3779B97F4A7C15
        )
        self._state = (self._state + count * 0x9E3779B97F4A7C15) % (1 << 64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
        return low + (z >> np.uint64(32)).astype(np.int64) * (high - low) // (1 << 32)


def _smooth(size, spacing: int, random: _Random) -> np.ndarray:
    """int64 noise, about -256 .. 256, linear between random nodes ``spacing`` pixels apart."""
    nodes = [n // spacing + 2 for n in size]
    coarse = random.uniform(nodes[0] * nodes[1], -_ONE, _ONE + 1).reshape(nodes)
    rows, cols = (np.arange(n) // spacing for n in size)
    below, right = (np.arange(n) % spacing for n in size)
    below = below[:, None]
    upper = coarse[rows][:, cols] * (spacing - right) + coarse[rows][:, cols + 1] * right
    lower = coarse[rows + 1][:, cols] * (spacing - right) + coarse[rows + 1][:, cols + 1] * right
    return (upper * (spacing - below) + lower * below) // spacing**2


def _cells(size, warp, random: _Random) -> tuple[np.ndarray, np.ndarray]:
    """Index of the cell each pixel lies in, and its distance to the next cell, in 1/256 pixel.

    A power diagram (Voronoi cells with weights) of points scattered around a grid, looked at
    through a warp that bends the borders.
    """
    counts = [n // _SPACING + 5 for n in size]
    points = []
    for axis, index in enumerate(np.indices(counts).reshape(2, -1)):
        scatter = random.uniform(len(index), -22 * _ONE, 22 * _ONE)
        points.append((index - 2) * _SPACING * _ONE + scatter)
        warp[axis] += np.arange(size[axis]).reshape((-1, 1) if axis == 0 else (1, -1)) * _ONE
    # Leaving out a third of the points gives cells of very different sizes.
    kept = random.uniform(len(points[0]), 0, 3) > 0
    points = [axis[kept] for axis in points]
    weight = random.uniform(len(points[0]), 0, (20 * _ONE) ** 2)
    cell = np.empty(size, np.int64)
    distance = np.empty(size, np.int64)
    for row in range(size[0]):
        power = (warp[0][row, :, None] - points[0]) ** 2
        power += (warp[1][row, :, None] - points[1]) ** 2 - weight
        first, second = np.argsort(power, axis=1, kind="stable")[:, :2].T
        column = np.arange(size[1])
        gap = power[column, second] - power[column, first]
        apart = sum((axis[first] - axis[second]) ** 2 for axis in points)
        # The border of two cells lies gap / (2 * apart) away; a square root rounds exactly.
        distance[row] = gap / (2 * np.sqrt(np.maximum(apart, 1).astype(np.float64)))
        cell[row] = first
    return cell, distance


def _vesicles(size, random: _Random) -> np.ndarray:
    """Darkness (int64, 1/256 grey level) of small round organelles: dots, some hollow."""
    dark = np.zeros(size, np.int64)
    count = max(1, size[0] * size[1] // 150)
    places = [random.uniform(count, 0, n) for n in size]
    radii, depths = random.uniform(count, 2, 5), random.uniform(count, 24, 64)
    for row, col, radius, depth in zip(*places, radii, depths):
        top, left = max(row - radius, 0), max(col - radius, 0)
        patch = dark[top : row + radius + 1, left : col + radius + 1]
        y = np.arange(top, top + patch.shape[0])[:, None] - row
        x = np.arange(left, left + patch.shape[1])[None, :] - col
        square = y * y + x * x
        disc = square <= radius * radius
        if radius > 2:
            disc &= square > (radius - 2) ** 2
        np.maximum(patch, disc * depth * _ONE, out=patch)
    return dark
