"""The PYNQ classes, on a stand-in of the package whose hardware is a simulation."""

import sys

import pytest

from fxhw.driver import (
    Accelerator,
    Buffer,
    PynqMemory,
    PynqRegisters,
    PynqStreams,
)
from fxhw.driver.bus import BusError
from fxhw.errors import FxhwError
from tests.driver.conftest import SAMPLE, Simulation
from tests.driver.pynq_stand_in import make_pynq


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynq", None)
    for make in (PynqMemory, lambda: PynqRegisters(0), lambda: PynqStreams(None)):
        with pytest.raises(FxhwError, match="Package pynq cannot be imported"):
            make()


@pytest.mark.cosim
def test_external_memory(inverter_bench, picture, monkeypatch):
    image, mask = picture
    with Simulation(inverter_bench) as simulation:
        monkeypatch.setitem(sys.modules, "pynq", make_pynq(simulation))
        memory = PynqMemory()
        accelerator = Accelerator.open(
            inverter_bench.files, PynqRegisters(0xA000_0000), memory=memory
        )
        accelerator.load()
        assert accelerator.run(image) == mask
        accelerator.load()
        assert accelerator.run(image) == mask
        with pytest.raises(BusError, match="No allocated buffer holds 4 bytes at 0x10"):
            memory.read(0x10, 4)
        with pytest.raises(BusError, match="was not allocated here"):
            memory.free(Buffer(0, 1))
        with pytest.raises(BusError, match="is not aligned to 16777216 bytes"):
            memory.allocate(4, 1 << 24)
        assert simulation.problems() == []


@pytest.mark.cosim
def test_streams(sample_bench, monkeypatch):
    image = bytes(range(120))
    with Simulation(sample_bench) as simulation:
        plain = Accelerator.open(SAMPLE, simulation.registers, streams=simulation.streams)
        expected = plain.run(image)
        module = make_pynq(simulation)
        monkeypatch.setitem(sys.modules, "pynq", module)
        streams = PynqStreams(module.Overlay("x.bit").axi_dma_0)
        accelerator = Accelerator.open(SAMPLE, PynqRegisters(0xA000_0000), streams=streams)
        accelerator.load()
        assert accelerator.run(image) == expected
        assert accelerator.run(image) == expected
        assert len(set(expected)) == 2
