"""Runs images on an accelerator, whatever bus leads to it."""

import os
from collections.abc import Mapping

from ..errors import FxhwError
from ..plan.ranges import check_ranges
from ..plan.registers import (
    CAUSE_TEXT,
    ERROR_TEXT,
    IDENTITY,
    RANGES,
    REGISTERS,
    VERSION,
    Cause,
    Control,
    ErrorCode,
    Status,
)
from .bus import Buffer, Interrupt, Memory, RegisterBus, StreamPort
from .program import Program

__all__ = ["Accelerator", "AcceleratorError", "AcceleratorTimeout"]

_POLL_SECONDS = 20e-6
"""Between two reads of STATUS."""


class AcceleratorError(FxhwError):
    """A run ended with an error code.

    Parameters
    ----------
    code : the code, an :class:`ErrorCode` if it is one.
    step : index of the step.
    layer : name of its layer.
    """

    def __init__(self, code: int, step: int, layer: str):
        known = code in set(ErrorCode)
        self.code = ErrorCode(code) if known else code
        self.step, self.layer = step, layer
        name = f" ({self.code.name})" if known else ""
        text = ERROR_TEXT[self.code] if known else "a code this version does not know"
        super().__init__(
            f"The accelerator ended with error {int(code)}{name} at step {step}, layer {layer}: "
            f"{text}"
        )


class AcceleratorTimeout(FxhwError):
    """A run did not end in time.

    Parameters
    ----------
    message : a sentence.
    status : the STATUS register.
    cycles : cycles counted, in all (``TOTAL``) and by cause.
    """

    def __init__(self, message: str, status: int, cycles: dict[str, int]):
        self.status, self.cycles = status, cycles
        super().__init__(message)


class Accelerator:
    """An accelerator of either version, opened for one generated folder.

    Parameters
    ----------
    program : of the generated folder.
    registers : the way to its registers.
    memory : external memory, for the version that has it.
    streams : image and mask streams, for the version with on-chip memory.
    interrupt : sleep until the interrupt instead of polling STATUS.

    Raises
    ------
    FxhwError if there is no accelerator, or another one than the folder's.
    """

    def __init__(
        self,
        program: Program,
        registers: RegisterBus,
        memory: Memory | None = None,
        streams: StreamPort | None = None,
        interrupt: Interrupt | None = None,
    ):
        self.program = program
        self._registers, self._interrupt = registers, interrupt
        self._memory, self._streams = memory, streams
        self._ranges: dict[str, Buffer] = {}
        self._owned: list[Buffer] = []
        self._logits = False
        self._check_hardware()

    @classmethod
    def open(cls, folder: str | os.PathLike, registers: RegisterBus, **parts) -> "Accelerator":
        """The accelerator of a generated folder; ``parts`` as the parameters of the class."""
        return cls(Program.from_folder(folder), registers, **parts)

    def read(self, name: str) -> int:
        """Value of a register by name."""
        return self._registers.read32(REGISTERS[name].offset)

    def write(self, name: str, value: int) -> None:
        """Write a register by name."""
        self._registers.write32(REGISTERS[name].offset, value)

    def _check_hardware(self) -> None:
        identity = self.read("ID")
        if identity != IDENTITY:
            raise FxhwError(
                f"Register ID reads 0x{identity:08x} instead of 0x{IDENTITY:08x}: there is no "
                "accelerator at this address, or it has no clock"
            )
        version = self.read("VERSION")
        if version >> 16 != VERSION >> 16:
            raise FxhwError(
                f"Register map has version {version >> 16}.{version & 0xFFFF}, this driver speaks "
                f"{VERSION >> 16}.{VERSION & 0xFFFF}; generate the accelerator again"
            )
        self._check_design(self.program)
        if self.program.external and self._memory is None:
            raise FxhwError(f"Accelerator {self.program.name} has external memory; pass memory=")
        if not self.program.external and self._streams is None:
            raise FxhwError(
                f"Accelerator {self.program.name} takes images by AXI4-Stream; pass streams="
            )

    def _check_design(self, program: Program) -> None:
        design = self.read("DESIGN")
        if design != int(program.digest[:8], 16):
            raise FxhwError(
                f"Hardware was generated as design {design:08x}, but {program.name} is for design "
                f"{program.digest[:8]}; load the bitstream of that folder"
            )

    # ---- Steps of a run, in their order -----------------------------------------------------

    def load(
        self, program: Program | None = None, addresses: Mapping[str, int] | None = None
    ) -> None:
        """Load a program and its parameters.

        With external memory this also places the ranges.  With on-chip memory a freshly configured
        FPGA has the program of its folder already.

        Parameters
        ----------
        program : another one for the same design (default: the folder's own).
        addresses : where PROGRAM, FEATURE, IMAGE and MASK shall lie in external memory (default:
            wherever the memory has room).

        Raises
        ------
        FxhwError if the program is for another design, or ranges overlap or are not aligned.
        AcceleratorError if the hardware refuses the words.
        """
        program = program or self.program
        self._check_design(program)
        if program.external:
            self._place(program, addresses)
            self._memory.write(self._ranges["PROGRAM"].address, program.data)
        else:
            if addresses:
                raise FxhwError("Addresses are for external memory, which this accelerator lacks")
            self.write("ERROR", 0)
            self.write("LOAD_ADDRESS", 0)
            for start in range(0, len(program.data), 4):
                self.write("LOAD_DATA", int.from_bytes(program.data[start : start + 4], "little"))
            self._check_error()
        self.program = program
        self.write("PROGRAM", 0)

    def _place(self, program: Program, addresses: Mapping[str, int] | None) -> None:
        """Find a buffer for each range and tell the hardware."""
        sizes = {
            "PROGRAM": len(program.data),
            "FEATURE": program.feature_bytes,
            "IMAGE": program.image_bytes,
            "MASK": program.mask_bytes(logits=True),
        }
        # Whole beats, so that no access to a last beat leaves its range.
        beat = program.bus_bytes
        sizes = {name: max(1, -(-size // beat)) * beat for name, size in sizes.items()}
        if addresses is None:
            for buffer in self._owned:
                self._memory.free(buffer)
            self._owned = [self._memory.allocate(size) for size in sizes.values()]
            ranges = dict(zip(sizes, self._owned))
        else:
            if set(addresses) != set(RANGES):
                raise FxhwError(
                    f"Addresses must name {', '.join(RANGES)}, not {', '.join(addresses) or 'none'}"
                )
            ranges = {name: Buffer(addresses[name], size) for name, size in sizes.items()}
            _check_ranges(ranges, beat)
            for buffer in ranges.values():
                self._memory.check(buffer.address, buffer.size)
        for name, buffer in ranges.items():
            self.write(f"{name}_BASE_LOW", buffer.address & 0xFFFF_FFFF)
            self.write(f"{name}_BASE_HIGH", buffer.address >> 32)
            self.write(f"{name}_BYTES", buffer.size)
        self._ranges = ranges

    @property
    def ranges(self) -> dict[str, Buffer]:
        """Where program, features, image and mask lie in external memory, once loaded."""
        return dict(self._ranges)

    def write_image(self, image) -> None:
        """Put an image where the next run takes it.

        Parameters
        ----------
        image : height x width x channels codes, a byte each: bytes or anything with a buffer of
            unsigned bytes, as a NumPy array.

        Raises
        ------
        FxhwError if it has another size, or codes of more bits than the network's.
        """
        data, program = _bytes_of(image), self.program
        if len(data) != program.image_bytes:
            raise FxhwError(
                f"Image has {len(data)} bytes, but {program.name} takes {program.height}x"
                f"{program.width} pixels of {program.channels} channels, {program.image_bytes} "
                "bytes; crop or pad it"
            )
        if program.image_bits < 8 and max(data) >> program.image_bits:
            raise FxhwError(
                f"Image has code {max(data)}, but {program.name} takes codes of "
                f"{program.image_bits} bits, 0 .. {(1 << program.image_bits) - 1}"
            )
        if program.external:
            self._loaded("IMAGE")
            self._memory.write(self._ranges["IMAGE"].address, data)
        else:
            self._streams.send(data)

    def start(self, logits: bool = False) -> None:
        """Start a run, of which :meth:`read_mask` will give the mask, or the ``logits``.

        Raises
        ------
        FxhwError if one is under way.
        """
        if self.read("STATUS") & Status.BUSY:
            raise FxhwError("The accelerator is busy; wait for its run to end, or abort it")
        if self.program.external:
            self._loaded("PROGRAM")
        else:
            self._streams.expect(self.program.mask_bytes(logits))
        self._logits = logits
        control = Control.START | (Control.LOGITS if logits else Control(0))
        self.write("CONTROL", control | (Control.IRQ_ENABLE if self._interrupt else Control(0)))

    def wait(self, timeout: float = 10.0) -> None:
        """Wait for the run to end.

        Parameters
        ----------
        timeout : seconds it may take.

        Raises
        ------
        AcceleratorError if it ended with an error.
        AcceleratorTimeout if it did not end; it goes on, see :meth:`abort`.
        """
        registers = self._registers
        deadline = registers.now() + timeout
        while (status := self.read("STATUS")) & Status.BUSY:
            left = deadline - registers.now()
            if left <= 0:
                raise self._timeout(timeout, status)
            if self._interrupt:
                self._interrupt.wait(left)
            else:
                registers.idle(min(left, _POLL_SECONDS))
        if self._interrupt:
            self.write("CONTROL", 0)  # the interrupt is a level
        self._check_error()
        if not status & Status.DONE:
            raise FxhwError(
                f"No run has ended: STATUS is 0x{status:08x}; start one, after an abort too"
            )

    def read_mask(self) -> bytes:
        """The mask of the run that has ended, a byte per pixel, 0 or 255; or its logits, see
        :meth:`Program.logits`."""
        count = self.program.mask_bytes(self._logits)
        if self.program.external:
            return self._memory.read(self._ranges["MASK"].address, count)
        return self._streams.receive()

    def run(self, image, *, logits: bool = False, timeout: float = 10.0) -> bytes:
        """All steps for one image; the mask, or the logits.

        Raises
        ------
        As the steps do.
        """
        self.write_image(image)
        self.start(logits)
        self.wait(timeout)
        return self.read_mask()

    def abort(self) -> None:
        """End whatever runs; the next start works."""
        self.write("CONTROL", Control.ABORT)
        if not self.program.external:
            self._streams.reset()

    # ---- What it says -----------------------------------------------------------------------

    def cycles(self) -> dict[str, int]:
        """Cycles of the last run: ``TOTAL`` and by cause."""
        causes = {cause.name: self.read(f"CYCLES_{cause.name}") for cause in Cause}
        return {"TOTAL": self.read("CYCLES")} | causes

    def _check_error(self) -> None:
        error = self.read("ERROR")
        if error & 0xFF:
            step = error >> 16
            raise AcceleratorError(error & 0xFF, step, self.program.layer(step))

    def _timeout(self, seconds: float, status: int) -> AcceleratorTimeout:
        cycles, step = self.cycles(), status >> 16
        cause = max(Cause, key=lambda c: cycles[c.name])
        return AcceleratorTimeout(
            f"The accelerator did not end within {seconds:g} s: STATUS 0x{status:08x}, step "
            f"{step}, layer {self.program.layer(step)}; {cycles['TOTAL']} cycles counted "
            f"({self.program.estimated_cycles} estimated), in {cycles[cause.name]} of them "
            f"{CAUSE_TEXT[cause]}",
            status,
            cycles,
        )

    def _loaded(self, name: str) -> None:
        if name not in self._ranges:
            raise FxhwError("No program is loaded, so memory has no place yet; call load() first")


def _check_ranges(ranges: dict[str, Buffer], beat: int) -> None:
    """Refuse what the hardware would refuse."""
    fault = check_ranges({name: (b.address, b.size) for name, b in ranges.items()}, beat)
    first = ranges[fault.names[0]] if fault.names else None
    if fault.code == ErrorCode.RANGE_ALIGNMENT:
        raise FxhwError(
            f"{fault.names[0]} at 0x{first.address:x} is not aligned to the bus's {beat} bytes"
        )
    if fault.code == ErrorCode.RANGE_LIMIT:
        raise FxhwError(
            f"{fault.names[0]}, {first.size} bytes at 0x{first.address:x}, leaves the 64-bit "
            "address space; place it lower"
        )
    if fault.code == ErrorCode.RANGE_OVERLAP:
        name, other = fault.names
        raise FxhwError(
            f"{name}, {first.size} bytes at 0x{first.address:x}, overlaps {other} at "
            f"0x{ranges[other].address:x}; place {other} at "
            f"0x{first.address + first.size:x} or further"
        )


def _bytes_of(image) -> bytes:
    """An image's bytes, if its items are unsigned bytes."""
    try:
        view = memoryview(image)
    except TypeError as error:
        raise FxhwError(f"Image is a {type(image).__name__}, which has no bytes") from error
    if view.format not in ("B", "c"):
        raise FxhwError(
            f"Image has items of format {view.format!r} and {view.itemsize} bytes; unsigned bytes "
            "are wanted (in NumPy, astype('u1'))"
        )
    return view.tobytes()
