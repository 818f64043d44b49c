"""Normalization of an image's codes before the first layer, in exact integers."""

from math import isqrt

import numpy as np

__all__ = ["CODES_PER_DEVIATION", "NORMALIZATIONS", "normalize", "zscore_table"]

NORMALIZATIONS = ("none", "zscore")
"""Names :func:`normalize` knows."""

CODES_PER_DEVIATION = 32
"""Codes that one standard deviation takes after ``zscore``; the mean lies at :data:`_MIDDLE`."""

_MIDDLE = 128

_LEVELS = 256


def normalize(image: np.ndarray, normalization: str) -> np.ndarray:
    """``image`` itself for ``none``; for ``zscore`` every channel centred and scaled as a whole.

    Parameters
    ----------
    image : (height, width, channels) codes, 8-bit ones for ``zscore``.

    Returns
    -------
    codes of the same shape, uint8 for ``zscore``.

    Raises
    ------
    ValueError if there is no such normalization.
    """
    if normalization not in NORMALIZATIONS:
        raise ValueError(f"Normalization must be none or zscore, not {normalization!r}")
    if normalization == "none":
        return image
    result = np.empty(image.shape, np.uint8)
    for channel in range(image.shape[2]):
        codes = image[:, :, channel]
        counts = np.bincount(codes.reshape(-1), minlength=_LEVELS)
        result[:, :, channel] = zscore_table(counts.tolist())[codes]
    return result


def zscore_table(counts: list[int]) -> np.ndarray:
    """uint8 (256,): the new code of each of a channel's codes, rounded half up and clamped.

    ``counts`` has the number of pixels of each code.  With n pixels, their sum S1, the sum of
    their squares S2 and ``r = isqrt((n * S2 - S1**2) << 32)``, which is 2**16 * n standard
    deviations, code x becomes ``128 + (((64 * (n * x - S1) << 16) // r + 1) >> 1)``; 128 if all
    pixels are alike.
    """
    n = sum(counts)
    total = sum(count * x for x, count in enumerate(counts))
    squares = sum(count * x * x for x, count in enumerate(counts))
    root = isqrt((n * squares - total**2) << 32)
    table = np.full(_LEVELS, _MIDDLE, np.uint8)
    if root:
        for x in range(_LEVELS):
            halves = ((2 * CODES_PER_DEVIATION * (n * x - total)) << 16) // root
            table[x] = min(max(_MIDDLE + ((halves + 1) >> 1), 0), _LEVELS - 1)
    return table
