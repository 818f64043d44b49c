"""Memory ports: how the datapath reaches words, wherever they lie."""

from amaranth.hdl import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ReadPort", "WriteRequest", "address_bits"]


def address_bits(depth: int) -> int:
    """Bits of an address into ``depth`` words: one more than needed, so that a stray address is
    seen past the end instead of wrapping into the memory."""
    return depth.bit_length() + 1


class ReadPort(wiring.Signature):
    """Read side of a memory: words follow their enabled addresses in order, each for one cycle.

    Parameters
    ----------
    depth : words of the memory.
    word_bits : bits of a word.

    Members
    -------
    enable, address : a word is asked for.
    valid, data : a word asked for before is there.
    """

    def __init__(self, depth: int, word_bits: int):
        super().__init__(
            {
                "enable": Out(1),
                "address": Out(address_bits(depth)),
                "valid": In(1),
                "data": In(word_bits),
            }
        )


def WriteRequest(depth: int, word_bits: int) -> data.StructLayout:
    """Payload of a write into ``depth`` words: where and what."""
    return data.StructLayout({"address": address_bits(depth), "data": word_bits})
