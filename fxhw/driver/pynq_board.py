"""Registers, buffers and DMA of a Zynq board that runs PYNQ."""

import importlib

from ..errors import FxhwError
from .bus import PAGE, Buffer, BusError, Memory, RegisterBus, StreamPort

__all__ = ["PynqMemory", "PynqRegisters", "PynqStreams"]


def _pynq():
    """Package pynq, which exists on the board alone."""
    try:
        return importlib.import_module("pynq")
    except ImportError as error:
        raise FxhwError(
            f"Package pynq cannot be imported ({error}); run this on a board with PYNQ, or use "
            "MappedRegisters and MappedMemory"
        ) from error


class PynqRegisters(RegisterBus):
    """Registers through ``pynq.MMIO``.

    Parameters
    ----------
    address : physical address of the registers, as ``overlay.ip_dict[name]["phys_addr"]``.
    size : bytes of them.
    """

    def __init__(self, address: int, size: int = 4096):
        self._mmio = _pynq().MMIO(address, size)

    def read32(self, offset: int) -> int:
        return int(self._mmio.read(offset))

    def write32(self, offset: int, value: int) -> None:
        self._mmio.write(offset, value)


class PynqMemory(Memory):
    """Buffers of ``pynq.allocate``, in memory that stays in one piece."""

    def __init__(self):
        self._pynq = _pynq()
        self._arrays: dict[Buffer, object] = {}

    def allocate(self, size: int, alignment: int = PAGE) -> Buffer:
        array = self._pynq.allocate(shape=(max(size, 1),), dtype="u1")
        buffer = Buffer(int(array.device_address), max(size, 1))
        if buffer.address % alignment:
            array.freebuffer()
            raise BusError(
                f"Buffer at 0x{buffer.address:x} is not aligned to {alignment} bytes as asked for"
            )
        self._arrays[buffer] = array
        return buffer

    def free(self, buffer: Buffer) -> None:
        if buffer not in self._arrays:
            raise BusError(
                f"Buffer of {buffer.size} bytes at 0x{buffer.address:x} was not allocated here"
            )
        self._arrays.pop(buffer).freebuffer()

    def read(self, address: int, count: int) -> bytes:
        array, start = self._find(address, count)
        array.invalidate()
        return bytes(memoryview(array)[start : start + count])

    def write(self, address: int, data: bytes) -> None:
        array, start = self._find(address, len(data))
        memoryview(array)[start : start + len(data)] = data
        array.flush()

    def check(self, address: int, count: int) -> None:
        self._find(address, count)

    def _find(self, address: int, count: int):
        """The array that holds these bytes, and where in it they begin."""
        for buffer, array in self._arrays.items():
            start = address - buffer.address
            if 0 <= start and start + count <= buffer.size:
                return array, start
        raise BusError(f"No allocated buffer holds {count} bytes at 0x{address:x}")


class PynqStreams(StreamPort):
    """The two channels of an AXI DMA, as in ``overlay.axi_dma_0``."""

    def __init__(self, dma):
        self._pynq, self._dma = _pynq(), dma
        self._out = self._in = None

    def send(self, data: bytes) -> None:
        self._out = self._fresh(self._out, len(data))
        memoryview(self._out)[:] = data
        self._dma.sendchannel.transfer(self._out)

    def expect(self, count: int) -> None:
        self._in = self._fresh(self._in, count)
        self._dma.recvchannel.transfer(self._in)

    def receive(self) -> bytes:
        self._dma.recvchannel.wait()
        self._in.invalidate()
        return bytes(memoryview(self._in))

    def reset(self) -> None:
        for channel in (self._dma.sendchannel, self._dma.recvchannel):
            channel.stop()
            channel.start()

    def _fresh(self, array, size: int):
        """``array`` if it has the size, else another."""
        if array is not None and array.nbytes == size:
            return array
        if array is not None:
            array.freebuffer()
        return self._pynq.allocate(shape=(size,), dtype="u1")
