"""Memory blocks of a design, from the shapes of its memories: how they grow with its lanes."""

from ..plan import Design

__all__ = ["BLOCK_SHAPES", "block_rams", "list_memories"]

BLOCK_SHAPES = {
    "ecp5": ((1 << 14, 1), (1 << 13, 2), (1 << 12, 4), (1 << 11, 9), (1 << 10, 18), (512, 36)),
    "xc7": ((1 << 15, 1), (1 << 14, 2), (1 << 13, 4), (1 << 12, 9), (1 << 11, 18), (1 << 10, 36),
            (512, 72)),
    "ice40": ((2048, 2), (1024, 4), (512, 8), (256, 16)),
}
"""Family -> (words, bits) that its memory block can have."""

_SMALL = 1024
"""Memories of fewer bits are made of look-up tables."""


def block_rams(design: Design, family: str) -> int:
    """Blocks that the memories of ``design`` take, each in the best of the family's shapes."""
    shapes = BLOCK_SHAPES[_LIKE.get(family, family)]
    return sum(
        min(-(-depth // words) * -(-width // bits) for words, bits in shapes)
        for depth, width in list_memories(design)
        if depth * width >= _SMALL
    )


_LIKE = {"gowin": "ecp5", "xcup": "xc7", "generic": "ecp5"}
"""Families whose blocks have the shapes of another's."""


def list_memories(design: Design) -> list[tuple[int, int]]:
    """(words, bits) of every memory that may lie in a block; weights have one per beat."""
    bus, main, front = design.bus_bits, design.main, design.front
    stores = [
        (2 * main.weight_words, main.weight_bits),
        (2 * main.max_groups_out, main.requantize_bits),
        (front.weight_words, front.weight_bits),
        (front.max_groups_out, front.requantize_bits),
        (design.head_groups, design.head_word_bits),
    ]
    beats = [
        (depth, min(bus, width - start))
        for depth, width in stores
        for start in range(0, width, bus)
    ]
    return [
        (design.feature_words, design.feature_bits),
        (design.parameter_beats, bus),
        *beats,
        *2 * [(main.row_words, main.word_bits)],
        *2 * [(front.row_words, front.word_bits)],
        (design.pool_words, main.out_bits),
    ]
