"""Reads the benches' records.

The bench in Verilog writes lines of hexadecimal fields of fixed width, the compiled one binary
tracks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

__all__ = [
    "Records",
    "Trace",
    "no_words",
    "read_mask",
    "read_steps",
    "read_track",
    "read_words",
    "steps_of_track",
    "unpack_words",
]

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
    codes : integers (n, lanes), bit patterns as they are stored, :data:`UNKNOWN` where a bit was
        not 0 or 1.
    """

    cycle: np.ndarray
    step: np.ndarray
    address: np.ndarray
    codes: np.ndarray

    def of_step(self, step: int) -> "Trace":
        """Words seen during one step."""
        keep = self.step == step
        return Trace(self.cycle[keep], self.step[keep], self.address[keep], self.codes[keep])


@dataclass(frozen=True)
class Records:
    """All that was seen of a run.

    Parameters
    ----------
    front, results : words of the first convolution and of the main array.
    mask : (cycle, TLAST, byte) of every byte of the mask, int64 (n,) each.
    writes : words written into the feature memory on chip; None if it is external.
    stored : (index of the step in the schedule, tensor) -> what the step has left of it in
        external memory, in raster order; steps that never ended are missing.
    """

    front: Trace
    results: Trace
    mask: tuple[np.ndarray, np.ndarray, np.ndarray]
    writes: Trace | None = None
    stored: Mapping[tuple[int, str], Trace] = field(default_factory=dict)


def no_words(lanes: int) -> Trace:
    """A trace of nothing."""
    none = np.zeros(0, np.int64)
    return Trace(none, none, none, np.zeros((0, lanes), np.int64))


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
        return no_words(lanes)
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


def unpack_words(words: np.ndarray, lanes: int, bits: int) -> np.ndarray:
    """int16 (n, lanes): codes of words, uint8 (n, bytes), the first lane in the lowest bits.

    Parameters
    ----------
    bits : of a code, at most 8.
    """
    wide = np.zeros((len(words), words.shape[1] + 1), np.uint16)
    wide[:, :-1] = words
    codes = np.empty((len(words), lanes), np.int16)
    for lane in range(lanes):
        byte, shift = divmod(lane * bits, 8)
        pair = wide[:, byte] | (wide[:, byte + 1] << 8)
        codes[:, lane] = (pair >> shift) & ((1 << bits) - 1)
    return codes


def read_track(data: bytes, lanes: int, bits: int, addressed: bool = False) -> Trace:
    """A track of the compiled bench (``model/tracks.h``): words of ``lanes`` codes."""
    size = -(-lanes * bits // 8)
    address = [("address", "<u4")] if addressed else []
    rows = np.frombuffer(data, [("cycle", "<u8"), ("step", "<u2"), *address, ("word", "u1", size)])
    words = rows["word"].reshape(-1, size)
    return Trace(
        rows["cycle"].astype(np.int64),
        rows["step"].astype(np.int64),
        (rows["address"] if addressed else np.zeros(len(rows))).astype(np.int64),
        unpack_words(words, lanes, bits),
    )


def steps_of_track(data: bytes) -> np.ndarray:
    """int64 (n, 3): cycle, running, step at every change, of the compiled bench's track."""
    rows = np.frombuffer(data, [("cycle", "<u8"), ("running", "<u2"), ("step", "<u2")])
    return np.stack([rows[name].astype(np.int64) for name in rows.dtype.names], axis=1)
