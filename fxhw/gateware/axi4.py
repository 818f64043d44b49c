"""AXI4 master ports, named as in the AMBA specification, and the constants that are driven."""

from enum import IntEnum

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = [
    "CACHE",
    "INCREMENTING",
    "PROTECTION",
    "Axi4ReadSignature",
    "Axi4Signature",
    "Axi4WriteSignature",
    "Response",
    "drive_constants",
]

INCREMENTING = 1
"""AxBURST of a burst through ascending addresses (INCR); the others are for caches and FIFOs."""

CACHE = 0b0011
"""AxCACHE: normal, not cacheable, bufferable.  *Modifiable* lets an interconnect merge or widen
bursts, without which some DDR ports (those of Zynq) run at half speed; *bufferable* lets a write
be answered before it is in the RAM; nothing else reads the data through a cache of ours."""

PROTECTION = 0b000
"""AxPROT: data, secure, unprivileged.  A secure access reaches every memory that is not closed
to all; the driver decides what the accelerator may touch by the addresses it gives."""


class Response(IntEnum):
    """RRESP and BRESP; the upper bit tells of an error."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


def _address_channel(prefix, address_bits, id_bits):
    members = {
        "addr": address_bits, "len": 8, "size": 3, "burst": 2, "lock": 1, "cache": 4, "prot": 3,
        "qos": 4,
    }  # fmt: skip
    if id_bits:
        members = {"id": id_bits} | members
    channel = {prefix + name: Out(width) for name, width in members.items()}
    return channel | {f"{prefix}valid": Out(1), f"{prefix}ready": In(1)}


def _check(address_bits, data_bits, id_bits):
    if not isinstance(address_bits, int) or not 1 <= address_bits <= 64:
        raise ValueError(f"AXI4 address bits must be 1 to 64, not {address_bits!r}")
    if data_bits not in (8, 16, 32, 64, 128, 256, 512, 1024):
        raise ValueError(f"AXI4 data bits must be a power of two from 8 to 1024, not {data_bits!r}")
    if not isinstance(id_bits, int) or not 0 <= id_bits <= 16:
        raise ValueError(f"AXI4 ID bits must be 0 to 16, not {id_bits!r}")


class Axi4ReadSignature(wiring.Signature):
    """The read channels AR and R of an AXI4 master, seen from the master.

    Parameters
    ----------
    address_bits : bits of a byte address, up to 64.
    data_bits : bits of a beat, a power of two.
    id_bits : bits of an ID; with 0 the port has no IDs.
    """

    def __init__(self, address_bits: int, data_bits: int, id_bits: int = 0):
        _check(address_bits, data_bits, id_bits)
        super().__init__(
            _address_channel("ar", address_bits, id_bits)
            | ({"rid": In(id_bits)} if id_bits else {})
            | {
                "rdata": In(data_bits),
                "rresp": In(2),
                "rlast": In(1),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )


class Axi4WriteSignature(wiring.Signature):
    """The write channels AW, W and B of an AXI4 master, seen from the master.

    Parameters
    ----------
    address_bits, data_bits, id_bits : see :class:`Axi4ReadSignature`.
    """

    def __init__(self, address_bits: int, data_bits: int, id_bits: int = 0):
        _check(address_bits, data_bits, id_bits)
        super().__init__(
            _address_channel("aw", address_bits, id_bits)
            | {
                "wdata": Out(data_bits),
                "wstrb": Out(data_bits // 8),
                "wlast": Out(1),
                "wvalid": Out(1),
                "wready": In(1),
            }
            | ({"bid": In(id_bits)} if id_bits else {})
            | {"bresp": In(2), "bvalid": In(1), "bready": Out(1)}
        )


class Axi4Signature(wiring.Signature):
    """All five channels of an AXI4 master: :class:`Axi4ReadSignature` and
    :class:`Axi4WriteSignature` in one.

    Parameters
    ----------
    address_bits, data_bits, id_bits : see :class:`Axi4ReadSignature`.
    """

    def __init__(self, address_bits: int, data_bits: int, id_bits: int = 0):
        read = Axi4ReadSignature(address_bits, data_bits, id_bits)
        write = Axi4WriteSignature(address_bits, data_bits, id_bits)
        super().__init__({**read.members, **write.members})


def drive_constants(m: Module, bus, prefix: str) -> None:
    """Drive what never changes on address channel ``prefix`` (``"ar"``, ``"aw"``) of ``bus``:
    bursts of whole beats through ascending addresses, neither locked nor urgent."""
    data = bus.rdata if prefix == "ar" else bus.wdata
    constants = {
        "size": (len(data) // 8).bit_length() - 1,
        "burst": INCREMENTING,
        "lock": 0,
        "cache": CACHE,
        "prot": PROTECTION,
        "qos": 0,
    }
    for name, value in constants.items():
        m.d.comb += getattr(bus, prefix + name).eq(value)
