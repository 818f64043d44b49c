"""Images larger than the network: overlapping tiles, each giving the part it sees whole."""

import numpy as np

from ..errors import FxhwError
from ..graph import Network
from .run import run_network

__all__ = ["run_tiled", "tile_origins"]


def tile_origins(length: int, tile: int, overlap: int) -> list[int]:
    """Origins of tiles of ``tile`` pixels that cover ``length`` and share ``overlap`` pixels."""
    if length <= tile:
        return [0]
    origins = list(range(0, length - tile, tile - overlap))
    return [*origins, length - tile]


def run_tiled(
    network: Network, image: np.ndarray, overlap: int | None = None, progress=None
) -> np.ndarray:
    """Mask of an image of any size, by tiles of the network's own size where it is larger.

    Every pixel takes its mask from the tile in which it lies farthest from a tile border.  An
    image no larger than the network runs whole, at its own size.

    Parameters
    ----------
    image : (height, width, channels) codes, prepared as a whole (``network.prepare``).
    overlap : pixels two neighbouring tiles share (default: a quarter of the tile).
    progress : called with (tiles done, tiles in all) after each tile.

    Returns
    -------
    bool (height, width).

    Raises
    ------
    FxhwError if ``overlap`` is negative or leaves no step between tiles.
    """
    limit = min(network.size)
    if overlap is not None and not 0 <= overlap < limit:
        raise FxhwError(
            f"Tiles of {network.size[0]}x{network.size[1]} must overlap by 0 to {limit - 1} "
            f"pixels, not {overlap}"
        )
    height, width = image.shape[:2]
    tile_h, tile_w = min(network.size[0], height), min(network.size[1], width)
    if (tile_h, tile_w) == (height, width):
        mask = run_network(network, image)[0]
        if progress:
            progress(1, 1)
        return mask
    overlaps = [overlap if overlap is not None else size // 4 for size in (tile_h, tile_w)]
    tops = tile_origins(height, tile_h, overlaps[0])
    lefts = tile_origins(width, tile_w, overlaps[1])
    mask = np.zeros((height, width), bool)
    best = np.full((height, width), -1)
    for count, (top, left) in enumerate((top, left) for top in tops for left in lefts):
        rows = _border_distance(tile_h, top, height)
        cols = _border_distance(tile_w, left, width)
        distance = np.minimum(rows[:, None], cols[None, :])
        part = run_network(network, image[top : top + tile_h, left : left + tile_w])[0]
        region = (slice(top, top + tile_h), slice(left, left + tile_w))
        better = distance > best[region]
        mask[region][better] = part[better]
        best[region][better] = distance[better]
        if progress:
            progress(count + 1, len(tops) * len(lefts))
    return mask


def _border_distance(tile: int, origin: int, length: int) -> np.ndarray:
    """Distance of each of a tile's pixels to its ends; an end that is the image's is far away."""
    position = np.arange(tile)
    low = position if origin > 0 else np.full(tile, tile)
    high = tile - 1 - position if origin + tile < length else np.full(tile, tile)
    return np.minimum(low, high)
