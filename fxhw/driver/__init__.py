"""The host's side of a generated accelerator, over any memory-mapped bus.

:mod:`~fxhw.driver.bus` says what a bus must do, :mod:`~fxhw.driver.mapped`,
:mod:`~fxhw.driver.pynq_board` and :mod:`~fxhw.driver.simulated` do it for ``/dev/mem`` and the
like, for PYNQ and for the compiled bench; :mod:`~fxhw.driver.program` reads a generated folder and
:mod:`~fxhw.driver.accelerator` runs it.  :mod:`~fxhw.driver.c_files` is the same for C.

Nothing here needs more than the register table and the manifest: it runs on the board.
"""

from .accelerator import Accelerator, AcceleratorError, AcceleratorTimeout
from .bus import Buffer, BusError, Interrupt, Memory, RegisterBus, StreamPort
from .mapped import MappedMemory, MappedRegisters, UioInterrupt
from .program import Program
from .pynq_board import PynqMemory, PynqRegisters, PynqStreams
from .simulated import Simulation

__all__ = [
    "Accelerator",
    "AcceleratorError",
    "AcceleratorTimeout",
    "Buffer",
    "BusError",
    "Interrupt",
    "MappedMemory",
    "MappedRegisters",
    "Memory",
    "Program",
    "PynqMemory",
    "PynqRegisters",
    "PynqStreams",
    "RegisterBus",
    "Simulation",
    "StreamPort",
    "UioInterrupt",
]
