"""What the driver refuses and says, on registers that are a dictionary."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fxhw.driver import (
    Accelerator,
    AcceleratorError,
    AcceleratorTimeout,
    Program,
    RegisterBus,
    StreamPort,
)
from fxhw.driver.bus import BusError, RegionMemory
from fxhw.errors import FxhwError
from fxhw.plan.registers import (
    ERROR_TEXT,
    IDENTITY,
    REGISTERS,
    VERSION,
    Control,
    ErrorCode,
    Status,
)

SAMPLE = Path(__file__).parents[2] / "rtl_out" / "tiny_w4a4"


class Hardware(RegisterBus):
    """Registers that remember; a start ends at once, with ``error`` if that is set."""

    def __init__(self, program, error=0, hangs=False, **values):
        self.seconds, self.error, self.hangs, self.written = 0.0, error, hangs, []
        known = {"ID": IDENTITY, "VERSION": VERSION, "DESIGN": int(program.digest[:8], 16)}
        self.values = dict.fromkeys(REGISTERS, 0) | known | values
        self.names = {register.offset: name for name, register in REGISTERS.items()}

    def read32(self, offset):
        return self.values[self.names[offset]]

    def write32(self, offset, value):
        name = self.names[offset]
        self.written.append((name, value))
        if name == "CONTROL":
            if value & Control.START:
                self.values["STATUS"] = Status.BUSY | 4 << 16 if self.hangs else Status.DONE
                self.values["ERROR"] = self.error
            value &= ~(Control.START | Control.ABORT)
        if name != "ERROR" or not self.error:
            self.values[name] = value

    def now(self):
        return self.seconds

    def idle(self, seconds):
        self.seconds += seconds


class Streams(StreamPort):
    def __init__(self):
        self.sent, self.expected, self.resets = [], 0, 0

    def send(self, data):
        self.sent.append(data)

    def expect(self, count):
        self.expected = count

    def receive(self):
        return bytes(self.expected)

    def reset(self):
        self.resets += 1


class Bytes(RegionMemory):
    def __init__(self, address, size):
        super().__init__(address, size)
        self.base, self.bytes = address, bytearray(size)

    def read(self, address, count):
        self.check(address, count)
        return bytes(self.bytes[address - self.base :][:count])

    def write(self, address, data):
        self.check(address, len(data))
        self.bytes[address - self.base : address - self.base + len(data)] = data


@pytest.fixture(scope="module")
def program():
    return Program.from_folder(SAMPLE)


@pytest.fixture(scope="module")
def outside(program):
    """The same with external memory."""
    return replace(program, bus_bytes=16, feature_bytes=1000)


def test_program_of_a_folder(program):
    assert (program.height, program.width, program.channels) == (12, 10, 1)
    assert (program.image_bytes, program.mask_bytes(), program.mask_bytes(True)) == (120, 120, 240)
    words = (SAMPLE / "program.hex").read_text().split()
    assert program.data[:4] == int(words[0], 16).to_bytes(4, "little")
    assert len(program.data) == 4 * len(words)
    names = [program.layer(step) for step in range(7)]
    assert names == ["enc0a", "head", "enc0b", "mida", "midb", "dec0a", "dec0b"]
    assert program.logits(b"\xff\xff\x01\x00\x00\x80") == [-1, 1, -32768]


def test_a_changed_program_is_refused(tmp_path):
    for name in ("manifest.json", "program.hex"):
        (tmp_path / name).write_bytes((SAMPLE / name).read_bytes())
    (tmp_path / "program.hex").write_text("00000000\n")
    with pytest.raises(FxhwError, match=r"program\.hex is missing or not as it was generated"):
        Program.from_folder(tmp_path)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"ID": 0xFFFFFFFF}, "ID reads 0xffffffff instead of 0x66786877: there is no accelerator"),
        ({"VERSION": 0x20003}, "version 2.3, this driver speaks 1.0; generate the accelerator"),
        ({"DESIGN": 0x1234}, "as design 00001234, but .*tiny_w4a4 is for design 3eabeac1"),
    ],
)
def test_other_hardware_is_refused(program, values, match):
    with pytest.raises(FxhwError, match=match):
        Accelerator(program, Hardware(program, **values), streams=Streams())


def test_missing_parts_are_named(program, outside):
    with pytest.raises(FxhwError, match="takes images by AXI4-Stream; pass streams="):
        Accelerator(program, Hardware(program))
    with pytest.raises(FxhwError, match="has external memory; pass memory="):
        Accelerator(outside, Hardware(program))


def test_on_chip_program_goes_through_load_data(program):
    hardware = Hardware(program)
    Accelerator(program, hardware, streams=Streams()).load()
    words = [value for name, value in hardware.written if name == "LOAD_DATA"]
    assert words == [int(word, 16) for word in (SAMPLE / "program.hex").read_text().split()]
    assert hardware.written.index(("LOAD_ADDRESS", 0)) < len(hardware.written) - len(words)


def test_another_program_of_the_design_may_be_loaded_no_other(program):
    streams = Streams()
    accelerator = Accelerator(program, Hardware(program), streams=streams)
    accelerator.load(replace(program, name="smaller", height=4, width=5))
    accelerator.run(bytes(20))
    assert streams.sent == [bytes(20)]
    assert streams.expected == 20
    with pytest.raises(FxhwError, match="but stranger is for design deadbeef"):
        accelerator.load(replace(program, name="stranger", digest="deadbeef" * 8))
    with pytest.raises(FxhwError, match="Addresses are for external memory"):
        accelerator.load(addresses={"MASK": 0})


@pytest.mark.parametrize(
    ("image", "match"),
    [
        (bytes(121), "has 121 bytes, but .* takes 12x10 pixels of 1 channels, 120 bytes"),
        (np.zeros((12, 10), np.int16), "items of format 'h' and 2 bytes; unsigned bytes"),
        (np.zeros((12, 10), bool), "items of format '\\?'"),
        ([0] * 120, "Image is a list, which has no bytes"),
    ],
    ids=["size", "wide", "bool", "list"],
)
def test_images_that_are_none(program, image, match):
    streams = Streams()
    accelerator = Accelerator(program, Hardware(program), streams=streams)
    with pytest.raises(FxhwError, match=match):
        accelerator.run(image)
    assert streams.sent == []


def test_codes_of_too_many_bits(program):
    narrow = replace(program, image_bits=5)
    accelerator = Accelerator(narrow, Hardware(program), streams=Streams())
    accelerator.write_image(bytes([31] * 120))
    with pytest.raises(FxhwError, match=r"code 32, but .* codes of 5 bits, 0 \.\. 31"):
        accelerator.write_image(bytes([32] * 120))


def test_ranges_are_placed_and_told(program, outside):
    hardware, memory = Hardware(program), Bytes(0x3_0000_0000, 1 << 16)
    accelerator = Accelerator(outside, hardware, memory=memory)
    with pytest.raises(FxhwError, match="No program is loaded, so memory has no place yet"):
        accelerator.run(bytes(120))
    accelerator.load()
    ranges = accelerator.ranges
    assert [buffer.size for buffer in ranges.values()] == [1200, 1008, 128, 240]
    for name, buffer in ranges.items():
        low, high = (hardware.values[f"{name}_BASE_{part}"] for part in ("LOW", "HIGH"))
        assert low | high << 32 == buffer.address
        assert hardware.values[f"{name}_BYTES"] == buffer.size
    assert memory.read(ranges["PROGRAM"].address, 1192) == program.data
    accelerator.load()
    assert accelerator.ranges == ranges, "the buffers of the last program are used again"
    image = np.arange(120, dtype=np.uint8).reshape(12, 10)
    memory.write(ranges["MASK"].address, b"\xff" * 240)
    assert accelerator.run(image, logits=True) == b"\xff" * 240
    assert memory.read(ranges["IMAGE"].address, 120) == image.tobytes()
    assert hardware.written[-1] == ("CONTROL", Control.START | Control.LOGITS)


ADDRESSES = {"PROGRAM": 0x1000, "FEATURE": 0x2000, "IMAGE": 0x3000, "MASK": 0x4000}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"IMAGE": 0x2300}, "FEATURE, 1008 bytes at 0x2000, overlaps IMAGE at 0x2300; place IMAGE"),
        ({"MASK": 0x4008}, "MASK at 0x4008 is not aligned to the bus's 16 bytes"),
        ({"LOGITS": 0}, "must name PROGRAM, FEATURE, IMAGE, MASK, not PROGRAM, .*LOGITS"),
        ({"MASK": 0xFF20}, "does not hold 240 bytes"),
    ],
)
def test_addresses_that_cannot_be(program, outside, change, match):
    hardware = Hardware(program)
    accelerator = Accelerator(outside, hardware, memory=Bytes(0x1000, 0xF000))
    with pytest.raises(FxhwError, match=match):
        accelerator.load(addresses=ADDRESSES | change)
    assert hardware.written == []


def test_a_memory_too_small(program, outside):
    accelerator = Accelerator(outside, Hardware(program), memory=Bytes(0, 0x3000))
    with pytest.raises(BusError, match="no room left for a buffer of 240 bytes"):
        accelerator.load()


@pytest.mark.parametrize("code", [code for code in ErrorCode if code], ids=lambda c: c.name)
def test_every_error_is_told_with_its_layer(program, code):
    accelerator = Accelerator(program, Hardware(program, code | 5 << 16), streams=Streams())
    with pytest.raises(AcceleratorError) as caught:
        accelerator.run(bytes(120))
    assert str(caught.value) == (
        f"The accelerator ended with error {code.value} ({code.name}) at step 5, layer dec0a: "
        f"{ERROR_TEXT[code]}"
    )
    assert (caught.value.code, caught.value.step, caught.value.layer) == (code, 5, "dec0a")


def test_an_error_nobody_knows(program):
    accelerator = Accelerator(program, Hardware(program, 99 | 70 << 16), streams=Streams())
    with pytest.raises(AcceleratorError, match="error 99 at step 70, layer none of the program"):
        accelerator.run(bytes(120))


def test_a_timeout_says_where_it_hangs(program):
    cycles = {"CYCLES": 50, "CYCLES_ARRAY": 8, "CYCLES_IMAGE": 42}
    hardware, streams = Hardware(program, hangs=True, **cycles), Streams()
    accelerator = Accelerator(program, hardware, streams=streams)
    with pytest.raises(AcceleratorTimeout) as caught:
        accelerator.run(bytes(120), timeout=0.5)
    assert str(caught.value) == (
        "The accelerator did not end within 0.5 s: STATUS 0x00040001, step 4, layer midb; 50 "
        f"cycles counted ({program.estimated_cycles} estimated), in 42 of them the array waited "
        "and the image stream had no pixel"
    )
    assert caught.value.cycles["IMAGE"] == 42
    assert caught.value.status & Status.BUSY
    assert 0.5 <= hardware.seconds < 0.51
    with pytest.raises(FxhwError, match="busy; wait for its run to end, or abort it"):
        accelerator.start()
    accelerator.abort()
    assert hardware.written[-1] == ("CONTROL", Control.ABORT)
    assert streams.resets == 1


def test_waiting_for_nothing(program):
    accelerator = Accelerator(program, Hardware(program), streams=Streams())
    with pytest.raises(FxhwError, match="No run has ended: STATUS is 0x00000000"):
        accelerator.wait()


def test_buffers_do_not_meet_and_come_back():
    memory = RegionMemoryStub(0x1004, 0x4000)
    first, second = memory.allocate(10), memory.allocate(5000, 64)
    assert (first.address, second.address) == (0x2000, 0x2040)
    memory.free(first)
    assert memory.allocate(0x40, 16).address == 0x1010
    assert memory.allocate(0x40, 4096).address == 0x2000
    with pytest.raises(BusError, match="was not allocated here"):
        memory.free(first)


class RegionMemoryStub(RegionMemory):
    read = write = None


def test_the_driver_needs_no_tool():
    """On a board there is NumPy, and none of what makes accelerators."""
    import subprocess
    import sys

    code = (
        "import sys, fxhw.driver; "
        "print([n for n in ('amaranth', 'click', 'torch', 'rich', 'PIL', 'safetensors', 'cocotb')"
        " if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
