"""Rasters of words for tests: packing, and what line buffer and window make of them."""

import numpy as np

from fxhw.fixed import codes_to_int

__all__ = ["columns_of", "pack_raster", "windows_of"]


def pack_raster(codes, lanes, bits):
    """Words of ``lanes`` codes, groups fastest, from (height, width, channels) codes."""
    height, width, channels = codes.shape
    groups = -(-channels // lanes)
    padded = np.zeros((height, width, groups * lanes), np.int64)
    padded[:, :, :channels] = codes
    return [codes_to_int(word, bits) for word in padded.reshape(-1, lanes)]


def columns_of(words):
    """[above, centre, below] of every word of a (height, row_words) array."""
    padded = np.pad(words, ((1, 1), (0, 0)))
    height = words.shape[0]
    stacked = np.stack([padded[ky : ky + height] for ky in range(3)], axis=-1)
    return stacked.reshape(-1, 3).tolist()


def windows_of(words):
    """Nine taps of every word of a (height, width, groups) array."""
    height, width, _ = words.shape
    padded = np.pad(words, ((1, 1), (1, 1), (0, 0)))
    taps = [padded[ky : ky + height, kx : kx + width] for ky in range(3) for kx in range(3)]
    return np.stack(taps, axis=-1).reshape(-1, 9).tolist()
