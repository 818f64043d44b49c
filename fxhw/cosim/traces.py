"""Reads the test bench's records: lines of hexadecimal fields of fixed width."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["Trace", "read_mask", "read_steps", "read_words"]

_NIBBLE = np.full(256, 255, np.uint8)
for _digit in range(16):
    _NIBBLE[ord(f"{_digit:x}")] = _digit

UNKNOWN = -1
"""Pattern of a lane in which a simulator showed X or Z."""


@dataclass(frozen=True)
class Trace:
    """Words in the order they were seen.

    Parameters
    ----------
    cycle, step : int64 (n,), when, and index of the descriptor then.
    address : int64 (n,), zeros if the words have none.
    codes : int64 (n, lanes), bit patterns as they are stored, :data:`UNKNOWN` where a bit was not
        0 or 1.
    """

    cycle: np.ndarray
    step: np.ndarray
    address: np.ndarray
    codes: np.ndarray

    def of_step(self, step: int) -> "Trace":
        """Words seen during one step."""
        keep = self.step == step
        return Trace(self.cycle[keep], self.step[keep], self.address[keep], self.codes[keep])


def _fields(path: Path) -> list[np.ndarray]:
    """Nibbles (n, digits) of every field, 255 where unknown; a line cut short is left out."""
    data = np.frombuffer(path.read_bytes(), np.uint8) if path.is_file() else np.zeros(0, np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    if not ends.size:
        return []
    length = int(ends[0]) + 1
    lines = data[: data.size // length * length].reshape(-1, length)[:, :-1]
    # Icarus writes unknown digits in either case; lower case of a-f alone is looked up.
    borders = np.flatnonzero(lines[0] == ord(" "))
    parts = np.split(np.arange(length - 1), borders)
    return [_NIBBLE[lines[:, part[part != part[0]] if i else part]] for i, part in enumerate(parts)]


def _number(nibbles: np.ndarray) -> np.ndarray:
    value = np.zeros(len(nibbles), np.int64)
    unknown = np.zeros(len(nibbles), bool)
    for column in nibbles.T:
        value = (value << 4) | (column & 15)
        unknown |= column == 255
    return np.where(unknown, UNKNOWN, value)


def _codes(nibbles: np.ndarray, lanes: int, bits: int) -> np.ndarray:
    """Codes of packed words, the first lane in the lowest bits."""
    low_first = nibbles[:, ::-1]
    shifts = np.arange(4, dtype=np.uint8)
    planes = ((low_first[:, :, None] >> shifts) & 1).reshape(len(nibbles), -1)
    unknown = np.repeat(low_first == 255, 4, axis=1)
    planes = planes[:, : lanes * bits].reshape(-1, lanes, bits)
    unknown = unknown[:, : lanes * bits].reshape(-1, lanes, bits).any(axis=2)
    codes = planes.astype(np.int64) @ (np.int64(1) << np.arange(bits, dtype=np.int64))
    return np.where(unknown, UNKNOWN, codes)


def read_words(path: Path, lanes: int, bits: int, addressed: bool = False) -> Trace:
    """A trace of packed words of ``lanes`` codes of ``bits`` bits."""
    fields = _fields(path)
    if not fields:
        none = np.zeros(0, np.int64)
        return Trace(none, none, none, np.zeros((0, lanes), np.int64))
    cycle, step = _number(fields[0]), _number(fields[1])
    address = _number(fields[2]) if addressed else np.zeros(len(cycle), np.int64)
    return Trace(cycle, step, address, _codes(fields[-1], lanes, bits))


def read_mask(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(cycle, TLAST, byte) of every byte the accelerator gave."""
    fields = _fields(path)
    if not fields:
        return (np.zeros(0, np.int64),) * 3
    return _number(fields[0]), _number(fields[1]), _number(fields[2])


def read_steps(path: Path) -> np.ndarray:
    """int64 (n, 3): cycle, running, step at every change."""
    fields = _fields(path)
    if not fields:
        return np.zeros((0, 3), np.int64)
    return np.stack([_number(field) for field in fields], axis=1)
