"""A module that looks like pynq and whose hardware is a simulation."""

import types

import numpy as np

from fxhw.driver import Simulation


class PynqArray(np.ndarray):
    """A buffer with caches: the hardware sees it after flush, the program after invalidate."""

    device_address = 0
    device = None

    def flush(self):
        self.device.memory.write(self.device_address, bytes(memoryview(self)))

    def invalidate(self):
        self[:] = np.frombuffer(self.device.memory.read(self.device_address, self.nbytes), "u1")

    def freebuffer(self):
        self.device.memory.free(self.buffer)


class Channel:
    """A channel of an AXI DMA; buffers without caches, because streams have none here."""

    def __init__(self, simulation, receives):
        self._streams, self._receives = simulation.streams, receives
        self.starts = 0

    def transfer(self, array):
        self._array = array
        if self._receives:
            self._streams.expect(array.nbytes)
        else:
            self._streams.send(bytes(memoryview(array)))

    def wait(self):
        data = self._streams.receive()
        address = self._array.device_address
        self._array.device.memory.write(address, data)

    def stop(self):
        self._streams.reset()

    def start(self):
        self.starts += 1


def make_pynq(simulation: Simulation) -> types.ModuleType:
    """The module."""
    module = types.ModuleType("pynq")

    class MMIO:
        def __init__(self, address, length):
            self.address, self.length = address, length

        def read(self, offset):
            return simulation.registers.read32(offset)

        def write(self, offset, value):
            simulation.registers.write32(offset, value)

    def allocate(shape, dtype):
        array = np.zeros(shape, dtype).view(PynqArray)
        array.buffer = simulation.memory.allocate(array.nbytes)
        array.device_address, array.device = array.buffer.address, simulation
        return array

    class Overlay:
        def __init__(self, path):
            self.ip_dict = {"unet": {"phys_addr": 0xA000_0000}}
            self.axi_dma_0 = types.SimpleNamespace(
                sendchannel=Channel(simulation, False), recvchannel=Channel(simulation, True)
            )

    module.MMIO, module.allocate, module.Overlay = MMIO, allocate, Overlay
    return module
