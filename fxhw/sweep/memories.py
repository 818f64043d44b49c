"""Memory blocks of a design, from the shapes of its memories: how they grow with its lanes."""

from ..plan import Design
from ..plan.memory_banks import plan_banks

__all__ = ["block_rams", "list_memories"]

_SMALL = 1024
"""Memories of fewer bits are made of look-up tables."""


def block_rams(design: Design, family: str) -> int:
    """Blocks that the memories of ``design`` take, each in the best of the family's shapes."""
    family = "ecp5" if family == "generic" else family
    return sum(
        plan_banks(depth, width, family).blocks
        for depth, width in list_memories(design)
        if depth * width >= _SMALL
    )


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
