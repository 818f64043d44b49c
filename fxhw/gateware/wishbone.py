"""Wishbone B4 master ports, named and counted as LiteX does."""

from enum import IntEnum

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LINEAR", "CycleType", "WishboneSignature"]

LINEAR = 0b00
"""BTE of a burst through ascending addresses; the others wrap around."""


class CycleType(IntEnum):
    """CTI: whether, and where, the next beat of a burst follows."""

    CLASSIC = 0b000
    INCREMENTING = 0b010
    END = 0b111


class WishboneSignature(wiring.Signature):
    """A Wishbone B4 bus of byte lanes, seen from the master.

    Addresses count words of ``data_bits``; the lowest lane is the one of the lowest byte.

    Parameters
    ----------
    address_bits : bits of a word's address.
    data_bits : bits of a word, 8 times a power of two.
    bursts : whether the port has CTI and BTE.

    Members
    -------
    cyc, stb, we : a cycle is under way, a beat is wanted, it is a write.
    adr, dat_w, sel : word address, data, byte lanes.
    cti, bte : with ``bursts``, registered feedback: what comes next.
    ack, err : the beat is done; it failed.
    dat_r : what was read, with ``ack``.
    """

    def __init__(self, address_bits: int, data_bits: int, *, bursts: bool = False):
        if not isinstance(address_bits, int) or not 1 <= address_bits <= 64:
            raise ValueError(f"Wishbone address bits must be 1 to 64, not {address_bits!r}")
        if data_bits not in (8, 16, 32, 64, 128, 256, 512):
            raise ValueError(
                f"Wishbone data bits must be a power of two from 8 to 512, not {data_bits!r}"
            )
        super().__init__(
            {
                "adr": Out(address_bits),
                "dat_w": Out(data_bits),
                "dat_r": In(data_bits),
                "sel": Out(data_bits // 8),
                "cyc": Out(1),
                "stb": Out(1),
                "we": Out(1),
                **({"cti": Out(3), "bte": Out(2)} if bursts else {}),
                "ack": In(1),
                "err": In(1),
            }
        )
