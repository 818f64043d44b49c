"""How a piece of external memory is cut into AXI4 bursts."""

from dataclasses import dataclass

__all__ = ["BOUNDARY", "MOST_BEATS", "Burst", "BurstSpec"]

BOUNDARY = 4096
"""Bytes; no AXI4 burst crosses a multiple of it (AMBA AXI specification, A3.4.1)."""

MOST_BEATS = 256
"""Most beats of an AXI4 burst of type INCR."""


@dataclass(frozen=True)
class Burst:
    """One AXI4 burst.

    Parameters
    ----------
    address : byte address of its first beat, a multiple of the bus.
    beats : number of beats.
    first_strobes, last_strobes : byte lanes of the first and the last beat that belong to the
        piece, lane ``n`` in bit ``n``; a burst of one beat has the lanes that are in both.
    """

    address: int
    beats: int
    first_strobes: int
    last_strobes: int


@dataclass(frozen=True)
class BurstSpec:
    """The bus and how it is used.

    Bursts end where a naturally aligned block of :attr:`block_bytes` ends, so that none crosses
    4 KiB and only the first and the last of a piece are short.  At most one burst more than
    necessary is the price of one comparison per burst.

    Parameters
    ----------
    bus_bytes : bytes of a beat, a power of two from 1 to 128.
    max_beats : most beats of a burst, a power of two from 1 to 256; a burst that would cover
        more than 4 KiB is shorter.
    address_bits : bits of a byte address, up to 64.
    max_count : most beats of a piece.

    Raises
    ------
    ValueError if a parameter is out of its range.
    """

    bus_bytes: int = 8
    max_beats: int = 64
    address_bits: int = 32
    max_count: int = 1 << 24

    def __post_init__(self):
        for name, most in (("bus_bytes", 128), ("max_beats", MOST_BEATS)):
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= most or value & (value - 1):
                raise ValueError(f"{name} must be a power of two from 1 to {most}, not {value!r}")
        if not isinstance(self.max_count, int) or self.max_count < 1:
            raise ValueError(f"max_count must be a positive integer, not {self.max_count!r}")
        least = self.offset_bits + 1
        if not isinstance(self.address_bits, int) or not least <= self.address_bits <= 64:
            raise ValueError(
                f"address_bits must be {least} to 64, so that an address reaches past a block of "
                f"{self.block_bytes} bytes, not {self.address_bits!r}"
            )

    @property
    def data_bits(self) -> int:
        """Bits of a beat."""
        return 8 * self.bus_bytes

    @property
    def lane_bits(self) -> int:
        """Bits of a byte's place in a beat; also AxSIZE."""
        return self.bus_bytes.bit_length() - 1

    @property
    def block_bytes(self) -> int:
        """Bytes of a block, the longest burst."""
        return min(self.max_beats * self.bus_bytes, BOUNDARY)

    @property
    def block_beats(self) -> int:
        """Beats of the longest burst."""
        return self.block_bytes // self.bus_bytes

    @property
    def beat_bits(self) -> int:
        """Bits of a beat's place in its block."""
        return self.offset_bits - self.lane_bits

    @property
    def offset_bits(self) -> int:
        """Bits of a byte's place in its block."""
        return self.block_bytes.bit_length() - 1

    def compute(self, address: int, count: int) -> list[Burst]:
        """Bursts that cover ``count`` bytes from byte ``address`` on, in order.

        Parameters
        ----------
        address, count : need not be multiples of the bus; a ``count`` of 0 makes no burst.

        Raises
        ------
        ValueError if the piece does not lie within the address space or is too long.
        """
        end = address + count
        if address < 0 or count < 0 or end > 1 << self.address_bits:
            raise ValueError(
                f"{count} bytes from 0x{address:x} on do not lie within addresses of "
                f"{self.address_bits} bits"
            )
        if -(-end // self.bus_bytes) - address // self.bus_bytes > self.max_count:
            raise ValueError(
                f"{count} bytes from 0x{address:x} on are more than {self.max_count} beats of "
                f"{self.bus_bytes} bytes"
            )
        full = (1 << self.bus_bytes) - 1
        bursts = []
        while address < end:
            stop = min(end, (address // self.block_bytes + 1) * self.block_bytes)
            start, first = address - address % self.bus_bytes, address % self.bus_bytes
            beats = -(-(stop - start) // self.bus_bytes)
            first_strobes = full << first & full
            last_strobes = full >> (-stop % self.bus_bytes)
            if beats == 1:
                first_strobes = last_strobes = first_strobes & last_strobes
            bursts.append(Burst(start, beats, first_strobes, last_strobes))
            address = stop
        return bursts

    def strobes(self, burst: Burst, beat: int) -> int:
        """Byte lanes of beat ``beat`` of a burst that belong to the piece."""
        lanes = (1 << self.bus_bytes) - 1
        if beat == 0:
            lanes &= burst.first_strobes
        if beat == burst.beats - 1:
            lanes &= burst.last_strobes
        return lanes
