"""Registers and memory through ``mmap``: ``/dev/mem``, ``/dev/uio0``, ``/dev/udmabuf0``, a file."""

import ctypes
import mmap
import os
import select
import struct

from ..errors import FxhwError
from .bus import BusError, Interrupt, RegionMemory, RegisterBus

__all__ = ["MappedMemory", "MappedRegisters", "UioInterrupt"]


def _map(path: str | os.PathLike, offset: int, size: int) -> mmap.mmap:
    """``size`` bytes of a file or device from ``offset`` on, shared with everybody else."""
    if offset % mmap.ALLOCATIONGRANULARITY:
        raise FxhwError(
            f"Offset 0x{offset:x} of {path} is no multiple of {mmap.ALLOCATIONGRANULARITY} bytes, "
            "which mmap asks for; map from the page before it"
        )
    try:
        # Without O_SYNC, /dev/mem would be mapped as cached memory.
        handle = os.open(path, os.O_RDWR | os.O_SYNC)
    except OSError as error:
        raise FxhwError(f"Device {path} cannot be opened: {error.strerror}") from error
    try:
        return mmap.mmap(handle, size, offset=offset)
    except (OSError, ValueError) as error:
        raise FxhwError(
            f"Device {path} cannot be mapped, {size} bytes at 0x{offset:x}: {error}"
        ) from error
    finally:
        os.close(handle)


class MappedRegisters(RegisterBus):
    """Registers in a mapped file or device.

    Parameters
    ----------
    path : ``/dev/mem``, ``/dev/uio0`` or a file.
    offset : where the registers begin in it; in ``/dev/mem``, their physical address.
    size : bytes to map.

    Raises
    ------
    FxhwError if it cannot be mapped.
    """

    def __init__(self, path: str | os.PathLike, offset: int = 0, size: int = 4096):
        self._size = size
        # Accesses through ctypes are of 32 bits each; slices of a mapping may be of any width.
        self._words = (ctypes.c_uint32 * (size // 4)).from_buffer(_map(path, offset, size))

    def read32(self, offset: int) -> int:
        return self._words[self._index(offset)]

    def write32(self, offset: int, value: int) -> None:
        self._words[self._index(offset)] = value

    def _index(self, offset: int) -> int:
        if offset % 4 or not 0 <= offset < self._size:
            raise BusError(f"Offset 0x{offset:x} is no register among {self._size} mapped bytes")
        return offset // 4


class MappedMemory(RegionMemory):
    """Memory in a mapped file or device.

    Parameters
    ----------
    path : ``/dev/mem`` with memory the system was told to leave alone, ``/dev/udmabuf0`` or a file.
    size : bytes of it.
    offset : where it begins in the file.
    address : its physical address (default: ``offset``, which is right for ``/dev/mem``).

    Raises
    ------
    FxhwError if it cannot be mapped.
    """

    def __init__(
        self, path: str | os.PathLike, size: int, offset: int = 0, address: int | None = None
    ):
        self._base = offset if address is None else address
        self._bytes = _map(path, offset, size)
        super().__init__(self._base, size)

    def read(self, address: int, count: int) -> bytes:
        self.check(address, count)
        return self._bytes[address - self._base : address - self._base + count]

    def write(self, address: int, data: bytes) -> None:
        self.check(address, len(data))
        self._bytes[address - self._base : address - self._base + len(data)] = data


class UioInterrupt(Interrupt):
    """The interrupt through a ``/dev/uio*`` file.

    Parameters
    ----------
    path : the file.

    Raises
    ------
    FxhwError if it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike):
        try:
            self._file = os.open(path, os.O_RDWR | os.O_NOCTTY)
        except OSError as error:
            raise FxhwError(f"Device {path} cannot be opened: {error.strerror}") from error

    def wait(self, seconds: float) -> bool:
        # The system masks the interrupt when it comes; as a level it comes again if it is still
        # high, so that unmasking this late loses none.
        os.write(self._file, struct.pack("=I", 1))
        ready, _, _ = select.select([self._file], [], [], seconds)
        if ready:
            os.read(self._file, 4)
        return bool(ready)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
