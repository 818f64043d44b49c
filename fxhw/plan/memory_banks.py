"""Splits a large memory into banks of the block RAM shapes that a family has."""

from dataclasses import dataclass

__all__ = ["BLOCK_SHAPES", "Bank", "MemoryBanks", "block_shapes", "in_look_up_tables",
           "plan_banks"]

BLOCK_SHAPES = {
    "ecp5": ((1 << 14, 1), (1 << 13, 2), (1 << 12, 4), (1 << 11, 9), (1 << 10, 18), (512, 36)),
    "xc7": ((1 << 15, 1), (1 << 14, 2), (1 << 13, 4), (1 << 12, 9), (1 << 11, 18), (1 << 10, 36),
            (512, 72)),
    "ice40": ((2048, 2), (1024, 4), (512, 8), (256, 16)),
}
"""Family -> (words, bits) that its memory block can have, the deepest first."""

_LIKE = {"gowin": "ecp5", "xcup": "xc7"}
"""Families whose blocks have the shapes of another's."""

_LUT_RAM = ("ecp5", "xc7", "xcup", "gowin")
"""Families whose look-up tables can be memories."""

_SMALL_WORDS = 64
"""Words up to which a memory is not worth blocks, however wide: an eighth of the shallowest."""

MERGED = 4
"""Words merged between two registers: as many as the smallest look-up table takes."""


def block_shapes(family: str) -> tuple[tuple[int, int], ...]:
    """(words, bits) that a memory block of ``family`` can have; none if that is not known."""
    return BLOCK_SHAPES.get(_LIKE.get(family, family), ())


def in_look_up_tables(depth: int, family: str) -> bool:
    """Whether a memory of ``depth`` words had better lie in look-up tables than in blocks."""
    return family in _LUT_RAM and depth <= _SMALL_WORDS


@dataclass(frozen=True)
class Bank:
    """Words that lie in one row of blocks.

    Parameters
    ----------
    first : address of its first word, a multiple of ``span``.
    words : words it holds.
    span : words a block of its shape could hold, a power of two.
    """

    first: int
    words: int
    span: int


@dataclass(frozen=True)
class MemoryBanks:
    """A memory with one write and one read port, in banks.

    Parameters
    ----------
    depth : words.
    width : bits of a word.
    banks : where the words lie, in the order of their addresses.
    blocks : memory blocks of all banks; None where the family's are not known.
    """

    depth: int
    width: int
    banks: tuple[Bank, ...]
    blocks: int | None

    @property
    def levels(self) -> int:
        """Register stages in which the banks' words become one."""
        words, levels = len(self.banks), 0
        while words > 1:
            words, levels = -(-words // MERGED), levels + 1
        return levels

    @property
    def latency(self) -> int:
        """Cycles from an address to its word: the bank's address register, the one beside its
        blocks, its memory, the register behind it, and of several banks the way to where they
        merge, and that."""
        return 4 + (self.levels > 0) + self.levels


def plan_banks(depth: int, width: int, family: str) -> MemoryBanks:
    """The split of ``depth`` words of ``width`` bits with the fewest blocks, then the fewest banks.

    Banks of one shape go as far as they fill their blocks; the rest is split likewise among the
    shapes of fewer words, or takes one more of them.  A memory of an unknown family is one bank.
    """
    shapes = block_shapes(family)
    if not shapes:
        return MemoryBanks(depth, width, (Bank(0, depth, 1 << (depth - 1).bit_length()),), None)
    blocks, _, spans = _split(depth, width, shapes)
    banks, first = [], 0
    for span in spans:
        banks.append(Bank(first, min(span, depth - first), span))
        first += span
    return MemoryBanks(depth, width, tuple(banks), blocks)


def _split(depth: int, width: int, shapes) -> tuple[int, int, tuple[int, ...]]:
    """(blocks, banks, words a block of each bank could hold), the least of them."""
    plans = []
    for index, (words, bits) in enumerate(shapes):
        blocks = -(-width // bits)
        whole, rest = divmod(depth, words)
        count = -(-depth // words)
        plans.append((count * blocks, count, count * (words,)))
        if whole and rest and index + 1 < len(shapes):
            last = _split(rest, width, shapes[index + 1 :])
            plans.append((whole * blocks + last[0], whole + last[1], whole * (words,) + last[2]))
    return min(plans)
