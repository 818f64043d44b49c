"""Codes packed at exactly their width, little end first."""

import numpy as np

__all__ = ["pack_codes", "unpack_codes", "codes_to_int", "int_to_codes"]


def pack_codes(patterns, width: int) -> np.ndarray:
    """Bytes (uint8) holding the unsigned ``patterns``, ``width`` bits each, no gaps.

    The first pattern lies in the lowest bits of the first byte; the last byte is zero-padded.
    """
    patterns = np.ascontiguousarray(patterns, dtype=np.uint64).reshape(-1, 1)
    bits = (patterns >> np.arange(width, dtype=np.uint64)) & np.uint64(1)
    return np.packbits(bits.astype(np.uint8).reshape(-1), bitorder="little")


def unpack_codes(packed, width: int, count: int) -> np.ndarray:
    """The first ``count`` unsigned patterns (int64) of :func:`pack_codes`' bytes.

    Raises
    ------
    ValueError if ``packed`` is too short or too long for ``count`` patterns.
    """
    packed = np.ascontiguousarray(packed, dtype=np.uint8).reshape(-1)
    expected = -(-count * width // 8)
    if packed.size != expected:
        raise ValueError(
            f"Packed data must be {expected} bytes for {count} codes of {width} bits, "
            f"not {packed.size}"
        )
    bits = np.unpackbits(packed, bitorder="little")[: count * width].reshape(count, width)
    return bits.astype(np.int64) @ (np.int64(1) << np.arange(width, dtype=np.int64))


def codes_to_int(patterns, width: int) -> int:
    """One integer with the unsigned ``patterns`` side by side, the first in the lowest bits."""
    return int.from_bytes(pack_codes(patterns, width).tobytes(), "little")


def int_to_codes(value: int, width: int, count: int) -> np.ndarray:
    """The ``count`` unsigned patterns of :func:`codes_to_int`."""
    size = -(-count * width // 8)
    return unpack_codes(np.frombuffer(value.to_bytes(size, "little"), np.uint8), width, count)
