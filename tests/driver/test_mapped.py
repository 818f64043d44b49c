"""Registers and memory in a plain file, the interrupt through a terminal that stands in for uio."""

import os
import struct
import tty

import pytest

from fxhw.driver import MappedMemory, MappedRegisters, UioInterrupt
from fxhw.driver.bus import BusError
from fxhw.errors import FxhwError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mem"
    path.write_bytes(bytes(range(256)) * 64)
    return path


def test_registers(file):
    registers = MappedRegisters(file, offset=4096, size=64)
    assert registers.read32(8) == 0x0B0A0908
    registers.write32(8, 0xDEADBEEF)
    assert registers.read32(8) == 0xDEADBEEF
    data = file.read_bytes()
    assert data[4096 + 8 : 4096 + 12] == struct.pack("<I", 0xDEADBEEF)
    assert data[:4096] == bytes(range(256)) * 16
    for offset in (2, 64, -4):
        with pytest.raises(BusError, match="is no register among 64 mapped bytes"):
            registers.read32(offset)


def test_memory(file):
    memory = MappedMemory(file, 8192, offset=4096, address=0x8000_0000)
    buffer = memory.allocate(300, 256)
    assert buffer.address == 0x8000_0000
    memory.write(buffer.address + 4, b"abc")
    assert memory.read(buffer.address + 3, 5) == b"\x03abc\x07"
    assert file.read_bytes()[4100:4103] == b"abc"
    with pytest.raises(BusError, match="does not hold 2 bytes at 0x80001fff"):
        memory.write(0x8000_1FFF, b"ab")
    assert MappedMemory(file, 4096, offset=8192).allocate(1).address == 8192


def test_files_that_cannot_be_mapped(tmp_path, file):
    with pytest.raises(FxhwError, match="none cannot be opened: No such file"):
        MappedRegisters(tmp_path / "none")
    with pytest.raises(FxhwError, match="Offset 0x10 of .* is no multiple of"):
        MappedRegisters(file, offset=0x10)
    with pytest.raises(FxhwError, match="cannot be mapped, 1048576 bytes at 0x0"):
        MappedMemory(file, 1 << 20)
    with pytest.raises(FxhwError, match="uio9 cannot be opened"):
        UioInterrupt(tmp_path / "uio9")


def test_interrupt():
    kernel, driver = os.openpty()
    try:
        tty.setraw(driver)
        tty.setraw(kernel)
        interrupt = UioInterrupt(os.ttyname(driver))
        assert not interrupt.wait(0.01)
        assert os.read(kernel, 4) == struct.pack("=I", 1), "the interrupt was not unmasked"
        os.write(kernel, struct.pack("=I", 1))
        assert interrupt.wait(10)
        interrupt.close()
    finally:
        os.close(kernel)
        os.close(driver)
