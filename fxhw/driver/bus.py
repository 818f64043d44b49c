"""What a driver asks of the way to the hardware: registers, memory, streams, interrupt."""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass

from ..errors import FxhwError

__all__ = ["Buffer", "BusError", "Interrupt", "Memory", "RegionMemory", "RegisterBus", "StreamPort"]

PAGE = 4096
"""Alignment of buffers in bytes: no burst of a buffer's start crosses a boundary of AXI."""


class BusError(FxhwError):
    """The bus has refused an access, or has no such place."""


class RegisterBus(ABC):
    """32-bit registers at byte offsets, and the time that passes at the hardware."""

    @abstractmethod
    def read32(self, offset: int) -> int:
        """Value of the register at ``offset``."""

    @abstractmethod
    def write32(self, offset: int, value: int) -> None:
        """Write the register at ``offset``."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    def idle(self, seconds: float) -> None:
        """Let about ``seconds`` pass."""
        time.sleep(seconds)


@dataclass(frozen=True)
class Buffer:
    """``size`` bytes at physical ``address``."""

    address: int
    size: int


class Memory(ABC):
    """Memory that the hardware reads and writes too, by physical address."""

    @abstractmethod
    def read(self, address: int, count: int) -> bytes:
        """``count`` bytes at ``address``, as the hardware has left them.

        Raises
        ------
        BusError if the memory has no such bytes.
        """

    @abstractmethod
    def write(self, address: int, data: bytes) -> None:
        """Write ``data`` at ``address``, where the hardware sees it.

        Raises
        ------
        BusError if the memory has no such bytes.
        """

    @abstractmethod
    def check(self, address: int, count: int) -> None:
        """Make sure that the memory has ``count`` bytes at ``address``.

        Raises
        ------
        BusError if it has not.
        """

    @abstractmethod
    def allocate(self, size: int, alignment: int = PAGE) -> Buffer:
        """A buffer that nothing else uses.

        Raises
        ------
        BusError if there is no room.
        """

    @abstractmethod
    def free(self, buffer: Buffer) -> None:
        """Give a buffer back."""


class RegionMemory(Memory):
    """Memory in one piece, of which buffers are cut from the lowest address on.

    Parameters
    ----------
    address, size : the piece.
    """

    def __init__(self, address: int, size: int):
        self._whole = Buffer(address, size)
        self._taken: list[Buffer] = []

    def allocate(self, size: int, alignment: int = PAGE) -> Buffer:
        start = self._whole.address
        for taken in [*sorted(self._taken, key=lambda b: b.address), None]:
            buffer = Buffer(-(-start // alignment) * alignment, max(size, 1))
            end = taken.address if taken else self._whole.address + self._whole.size
            if buffer.address + buffer.size <= end:
                self._taken.append(buffer)
                return buffer
            start = taken.address + taken.size if taken else start
        raise BusError(
            f"Memory of {self._whole.size} bytes at 0x{self._whole.address:x} has no room left for "
            f"a buffer of {size} bytes; give the driver a larger one"
        )

    def free(self, buffer: Buffer) -> None:
        if buffer not in self._taken:
            raise BusError(
                f"Buffer of {buffer.size} bytes at 0x{buffer.address:x} was not allocated here"
            )
        self._taken.remove(buffer)

    def check(self, address: int, count: int) -> None:
        first, end = self._whole.address, self._whole.address + self._whole.size
        if not (first <= address and address + count <= end):
            raise BusError(
                f"Memory at 0x{first:x} .. 0x{end:x} does not hold {count} bytes at 0x{address:x}"
            )


class StreamPort(ABC):
    """AXI4-Streams of the version with on-chip memory: a DMA's two channels.

    The accelerator takes the image while it runs, and stalls until the mask is taken; so sending
    and taking begin before a run and neither may block.
    """

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Begin to send ``data``, with TLAST at the last byte, and return at once."""

    @abstractmethod
    def expect(self, count: int) -> None:
        """Begin to take ``count`` bytes, and return at once."""

    @abstractmethod
    def receive(self) -> bytes:
        """The bytes expected, once all have come."""

    @abstractmethod
    def reset(self) -> None:
        """Forget what was not sent or taken yet."""


class Interrupt(ABC):
    """The ``irq`` pin: a level, high from the end of a run until the next start."""

    @abstractmethod
    def wait(self, seconds: float) -> bool:
        """Sleep until it is high, at most ``seconds``; whether it is."""
