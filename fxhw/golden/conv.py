"""Exact integer 3x3 convolution through floating-point BLAS.

A float32 product and sum of integers is exact while every partial sum stays below 2**24, float64
below 2**53.  The accumulator's range bounds every partial sum in any order, so the bound is
checked once per layer and the fastest exact type is taken.
"""

import numpy as np

from ..fixed import Accumulator

__all__ = ["conv3x3", "exact_dtype"]

_CHUNK_BYTES = 32 << 20
"""Size of one im2col block: large enough for BLAS, small enough for the cache's sake."""


def exact_dtype(accumulator: Accumulator) -> np.dtype:
    """Fastest floating-point type in which every partial sum of ``accumulator`` is exact.

    Raises
    ------
    OverflowError if not even float64 is exact.
    """
    bound = max(-accumulator.min, accumulator.max)
    for dtype, mantissa in ((np.float32, 24), (np.float64, 53)):
        if bound <= 1 << mantissa:
            return np.dtype(dtype)
    raise OverflowError(f"Accumulator range {bound} exceeds 2**53; no exact BLAS type exists")


def conv3x3(x: np.ndarray, weights: np.ndarray, accumulator: Accumulator) -> np.ndarray:
    """Dot products of a 3x3 convolution with a border of one pixel of the padding code.

    Parameters
    ----------
    x : (height, width, in_channels) integer codes.
    weights : (out_channels, in_channels, 3, 3) integer codes.
    accumulator : range of the sums, which decides the arithmetic; its activation format has the
        padding code.

    Returns
    -------
    int64 (height, width, out_channels).
    """
    dtype = exact_dtype(accumulator)
    height, width, channels = x.shape
    out_channels = weights.shape[0]
    padding = accumulator.activation.padding
    padded = np.full((height + 2, width + 2, channels), padding, dtype)
    padded[1:-1, 1:-1] = x
    # (ky, kx, in) x out, in the order of the im2col columns below.
    matrix = np.ascontiguousarray(
        weights.transpose(2, 3, 1, 0).reshape(9 * channels, out_channels), dtype
    )
    result = np.empty((height, width, out_channels), np.int64)
    rows = max(1, _CHUNK_BYTES // (9 * channels * width * dtype.itemsize))
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        columns = np.empty((bottom - top, width, 9, channels), dtype)
        for tap in range(9):
            ky, kx = divmod(tap, 3)
            columns[:, :, tap] = padded[top + ky : bottom + ky, kx : kx + width]
        sums = columns.reshape(-1, 9 * channels) @ matrix
        result[top:bottom] = sums.reshape(bottom - top, width, out_channels)
    return result
