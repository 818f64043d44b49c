"""The AXI4-Lite registers: one table for gateware, drivers, test benches and documents."""

import enum
from dataclasses import dataclass, replace

__all__ = [
    "IDENTITY",
    "RANGES",
    "REGISTERS",
    "VERSION",
    "Cause",
    "Control",
    "ErrorCode",
    "Register",
    "Status",
    "errors_of",
    "registers_of",
]

IDENTITY = 0x66786877
"""The ID register: ``fxhw`` in ASCII."""

VERSION = 0x0001_0000
"""Version of the register map and the program format: major << 16 | minor."""


class ErrorCode(enum.IntEnum):
    """Why a run ended, or what the host did wrong."""

    NONE = 0
    CHECKSUM = 1
    KIND = 2
    ORDER = 3
    FORMAT = 4
    SHAPE = 5
    CAPACITY = 6
    FEATURE_ADDRESS = 7
    PARAMETER_ADDRESS = 8
    IMAGE_SHORT = 9
    IMAGE_LONG = 10
    START_BUSY = 11
    LOAD_BUSY = 12
    LOAD_ADDRESS = 13
    MEMORY_READ = 14
    MEMORY_WRITE = 15
    RANGE_OVERLAP = 16
    RANGE_ALIGNMENT = 17
    RANGE_LIMIT = 18


ERROR_TEXT = {
    ErrorCode.NONE: "no error",
    ErrorCode.CHECKSUM: "a descriptor's magic byte or checksum is wrong: the program is damaged",
    ErrorCode.KIND: "a descriptor's kind or kernel is not one this hardware has",
    ErrorCode.ORDER: "descriptors must come as FRONT, HEAD, then CONV: the first CONV reads the "
    "image, the last one feeds the head (in strips: every CONV behind a FRONT, and the last ones)",
    ErrorCode.FORMAT: "a descriptor asks for other widths than the hardware was generated with",
    ErrorCode.SHAPE: "a width, height or group count is zero or contradicts another one",
    ErrorCode.CAPACITY: "a layer exceeds a maximum of the hardware",
    ErrorCode.FEATURE_ADDRESS: "a feature map lies outside the feature memory",
    ErrorCode.PARAMETER_ADDRESS: "a descriptor or its parameters lie outside the parameter memory",
    ErrorCode.IMAGE_SHORT: "TLAST came before the image's last pixel",
    ErrorCode.IMAGE_LONG: "TLAST did not come with the image's last pixel",
    ErrorCode.START_BUSY: "start was written during a run; the run goes on",
    ErrorCode.LOAD_BUSY: "parameters, or a range, were written during a run; the write was "
    "dropped",
    ErrorCode.LOAD_ADDRESS: "parameters were written past the parameter memory; the write was "
    "dropped",
    ErrorCode.MEMORY_READ: "external memory answered a read with SLVERR or DECERR",
    ErrorCode.MEMORY_WRITE: "external memory answered a write with SLVERR or DECERR",
    ErrorCode.RANGE_OVERLAP: "two of the program, feature, image and mask ranges overlap",
    ErrorCode.RANGE_ALIGNMENT: "a range's base is not a multiple of the bus's bytes",
    ErrorCode.RANGE_LIMIT: "an access would leave its range of external memory",
}


_EXTERNAL_ERRORS = frozenset(code for code in ErrorCode if code >= ErrorCode.MEMORY_READ)


def errors_of(external: bool) -> tuple[ErrorCode, ...]:
    """Codes of the version with ``external`` memory, or of the one without, in order."""
    return tuple(code for code in ErrorCode if external or code not in _EXTERNAL_ERRORS)


class Cause(enum.IntEnum):
    """What a cycle of a run was spent on; every cycle counts for exactly one cause."""

    ARRAY = 0
    IMAGE = 1
    INPUT = 2
    OUTPUT = 3
    PARAMETERS = 4
    OVERHEAD = 5


CAUSE_TEXT = {
    Cause.ARRAY: "the main array took a window",
    Cause.IMAGE: "the array waited and the image stream had no pixel",
    Cause.INPUT: "the array waited for a window: line buffer filling, feature memory",
    Cause.OUTPUT: "the array waited for its results to be taken away",
    Cause.PARAMETERS: "no layer ran: descriptor or parameters being loaded",
    Cause.OVERHEAD: "a layer had issued its last window and its results drained",
}


class Control(enum.IntFlag):
    """Bits of CONTROL."""

    START = 1 << 0
    ABORT = 1 << 1
    LOGITS = 1 << 2
    IRQ_ENABLE = 1 << 3


class Status(enum.IntFlag):
    """Bits of STATUS below the step index."""

    BUSY = 1 << 0
    DONE = 1 << 1
    ERROR = 1 << 2


@dataclass(frozen=True)
class Register:
    """One 32-bit register.

    Parameters
    ----------
    name : name in drivers and documents.
    offset : byte offset.
    access : ``ro``, ``rw`` or ``wo``.
    text : what it holds.
    external : whether only the version with external memory has it.
    """

    name: str
    offset: int
    access: str
    text: str
    external: bool = False


_TABLE = (
    ("ID", "ro", f"0x{IDENTITY:08x}, 'fxhw'"),
    ("VERSION", "ro", "register map and program format, major << 16 | minor"),
    (
        "CONTROL",
        "rw",
        "bit 0 START (reads 0), bit 1 ABORT (reads 0): stop and clear everything but the memories, "
        "bit 2 LOGITS: send logits, little-endian bytes, instead of the mask, bit 3 IRQ_ENABLE",
    ),
    (
        "STATUS",
        "ro",
        "bit 0 BUSY, bit 1 DONE: the last run ended well, bit 2 ERROR: ERROR is not 0, "
        "bits 31..16 index of the running step",
    ),
    (
        "ERROR",
        "rw",
        "bits 7..0 first error code since the last clear, bits 31..16 index of the step; "
        "any write clears it, and so does START",
    ),
    ("PROGRAM", "rw", "beat address of the program in the parameter memory"),
    ("LOAD_ADDRESS", "rw", "beat address the next LOAD_DATA word goes to"),
    (
        "LOAD_DATA",
        "wo",
        "32-bit words of the parameter memory, lowest first; the address moves on by itself",
    ),
    ("DESIGN", "ro", "first 32 bits of the design's content hash"),
    ("WIDTHS", "ro", "wbits | abits << 8 | first_wbits << 16 | last_wbits << 24"),
    ("LANES", "ro", "pin | pout << 8 | ibits << 16 | image_channels << 24"),
    ("MAX_IMAGE", "ro", "max_width | max_height << 16"),
    ("FEATURE_WORDS", "ro", "depth of the feature memory in words"),
    ("PARAMETER_BEATS", "ro", "depth of the parameter memory in beats"),
    ("BUS_BITS", "ro", "bits of a beat"),
    ("CYCLES", "ro", "cycles of the last run, from START to the last byte of the mask"),
    *(
        (f"CYCLES_{cause.name}", "ro", f"cycles of these in which {CAUSE_TEXT[cause]}")
        for cause in Cause
    ),
)

RANGES = {
    "PROGRAM": "the program and its parameters",
    "FEATURE": "the feature maps",
    "IMAGE": "the image, a byte per code, channels interleaved",
    "MASK": "the mask, a byte per pixel, or the logits, little-endian",
}
"""What lies in external memory, each in a range of its own."""

_EXTERNAL_TABLE = tuple(
    entry
    for name, text in RANGES.items()
    for entry in (
        (f"{name}_BASE_LOW", f"bits 31..0 of the address of {text}"),
        (f"{name}_BASE_HIGH", "bits 63..32 of it"),
        (f"{name}_BYTES", "bytes from there on that may be touched"),
    )
)

_EXTERNAL_TEXT = {
    "PROGRAM": "beat address of the program, counted from its base",
    **dict.fromkeys(
        ("LOAD_ADDRESS", "LOAD_DATA", "FEATURE_WORDS", "PARAMETER_BEATS"),
        "reads 0: the memory is external",
    ),
}
"""What registers hold that have another meaning with external memory."""

REGISTERS: dict[str, Register] = {
    name: Register(name, 4 * index, access, text, external=index >= len(_TABLE))
    for index, (name, access, text) in enumerate(
        (*_TABLE, *((name, "rw", text) for name, text in _EXTERNAL_TABLE))
    )
}
"""All registers by name; those that only the version with external memory has stand last."""


def registers_of(external: bool) -> dict[str, Register]:
    """Registers by name of the version with ``external`` memory, or of the one without."""
    if external:
        return {n: replace(r, text=_EXTERNAL_TEXT.get(n, r.text)) for n, r in REGISTERS.items()}
    return {name: r for name, r in REGISTERS.items() if not r.external}
