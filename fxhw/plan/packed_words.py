"""Words of codes packed into the bytes of an external memory, and so into the beats of a bus."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

__all__ = ["PackedWords"]


@dataclass(frozen=True)
class PackedWords:
    """Words that lie byte for byte behind each other, little-endian.

    A word takes whole bytes, its highest bits are padding; eight codes of any width need none.
    Words start at multiples of :attr:`unit_bytes` from the bus's own borders if the first one
    does, so hardware shifts by units, not by bytes.

    Parameters
    ----------
    word_bits : bits of a word.
    bus_bits : bits of a beat, a multiple of 8.
    """

    word_bits: int
    bus_bits: int

    def __post_init__(self):
        if self.word_bits < 1:
            raise ValueError(f"A packed word must have at least 1 bit, not {self.word_bits}")
        if self.bus_bits < 8 or self.bus_bits % 8:
            raise ValueError(f"A bus must have a multiple of 8 bits, not {self.bus_bits}")

    @property
    def word_bytes(self) -> int:
        """Bytes of a word in memory."""
        return -(-self.word_bits // 8)

    @property
    def bus_bytes(self) -> int:
        """Bytes of a beat."""
        return self.bus_bits // 8

    @property
    def unit_bytes(self) -> int:
        """Bytes that words and beats are both made of."""
        return gcd(self.word_bytes, self.bus_bytes)

    @property
    def unit_bits(self) -> int:
        """Bits of a unit."""
        return 8 * self.unit_bytes

    @property
    def word_units(self) -> int:
        """Units of a word."""
        return self.word_bytes // self.unit_bytes

    @property
    def beat_units(self) -> int:
        """Units of a beat."""
        return self.bus_bytes // self.unit_bytes

    def count_beats(self, skip: int, words: int) -> int:
        """Beats that ``words`` words touch, ``skip`` units into the first beat."""
        return -(-(skip + words * self.word_units) // self.beat_units)

    def pack(self, words: Sequence[int], skip: int = 0) -> list[int]:
        """Beats that hold ``words``, ``skip`` units into the first; other bits are 0."""
        bits = 0
        for index, word in enumerate(words):
            bits |= word << (skip * self.unit_bits + 8 * self.word_bytes * index)
        mask = (1 << self.bus_bits) - 1
        beats = self.count_beats(skip, len(words))
        return [bits >> (self.bus_bits * beat) & mask for beat in range(beats)]

    def unpack(self, beats: Sequence[int], skip: int, words: int) -> list[int]:
        """The inverse of :meth:`pack`: ``words`` words, ``skip`` units into the first beat."""
        bits = 0
        for index, beat in enumerate(beats):
            bits |= beat << (self.bus_bits * index)
        bits >>= skip * self.unit_bits
        mask = (1 << self.word_bits) - 1
        return [bits >> (8 * self.word_bytes * word) & mask for word in range(words)]
