"""The program format: descriptors of sixteen 32-bit words."""

import enum
from dataclasses import dataclass, fields

__all__ = [
    "DESCRIPTOR_WORDS",
    "FIELDS",
    "MAGIC",
    "ActivationKind",
    "Descriptor",
    "Kind",
    "Kernel",
    "WeightKind",
    "checksum",
    "format_field",
    "split_beats",
]

DESCRIPTOR_WORDS = 16
"""32-bit words of a descriptor."""

MAGIC = 0xF7
"""First byte of every descriptor."""

CHECK = 0x66786877
"""What the exclusive or of all words of a descriptor comes to."""


class Kind(enum.IntEnum):
    """What a descriptor makes the hardware do."""

    FRONT = 1
    HEAD = 2
    CONV = 3


class Kernel(enum.IntEnum):
    """Kernel and requantization of a program's convolutions; 1x1 and 2x2 transposed are reserved.

    Programs whose requantization words hold multipliers have a kernel of their own, so that
    hardware without multipliers refuses them.
    """

    CONV3X3 = 0
    CONV3X3_MULTIPLIER = 8


class WeightKind(enum.IntEnum):
    """Kind of the weights of the main array; binary ones are fixed ones of one bit."""

    FIXED = 0
    TERNARY = 1
    POWER = 2


class ActivationKind(enum.IntEnum):
    """Kind of the activations between layers."""

    UNSIGNED = 0
    SIGNED = 1
    TERNARY = 2
    SIGN = 3


def format_field(kind: WeightKind | ActivationKind, bits: int) -> int:
    """A descriptor's ``weight_bits`` or ``activation_bits``: the width below, the kind above.

    Hardware compares the whole field, so it refuses a program for codes of another kind; fixed
    weights and unsigned activations, which it had alone at first, leave only the width.
    """
    return bits | kind << 4


FIELDS = (
    # (name, bits); no field crosses a 32-bit word.
    ("magic", 8),
    ("kind", 4),
    ("kernel", 4),
    ("last", 1),
    ("from_front", 1),
    ("up_a", 1),
    ("up_b", 1),
    ("store_full", 1),
    ("store_pool", 1),
    ("to_head", 1),
    ("trim_left", 1),
    ("trim_right", 1),
    ("odd", 1),
    ("keep", 1),
    ("reserved0", 5),
    ("width", 16),
    ("height", 16),
    ("groups_a", 16),
    ("groups_b", 16),
    ("groups_out", 16),
    ("words_out", 16),
    ("load_address", 32),
    ("weight_words", 16),
    ("requantize_words", 16),
    ("base_a", 32),
    ("base_b", 32),
    ("row_stride_a", 32),
    ("row_stride_b", 32),
    ("full_base", 32),
    ("pool_base", 32),
    ("pixel_stride", 16),
    ("pool_row_beats", 16),
    ("weight_bits", 8),
    ("activation_bits", 8),
    ("multiplier_bits", 8),
    ("reserved2", 8),
    ("full_row_stride", 32),
    ("check", 32),
)
"""Layout of a descriptor, lowest bit first."""

assert sum(bits for _, bits in FIELDS) == 32 * DESCRIPTOR_WORDS


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """One step of the program.

    Parameters
    ----------
    kind : FRONT sets up the first convolution, HEAD the head, CONV runs a layer's tile.
    width, height : pixels of the raster that is computed: of the result, or of a strip of it with
        the columns beside it (for FRONT, of the first convolution's; for HEAD, of the image).
    groups_a, groups_b : words per pixel of the two sources (FRONT: image channels; HEAD: groups).
    groups_out : output groups of the tile.
    words_out : feature memory words per pixel of the tile.
    load_address : beat address of the parameters: weight words, then requantization words.
    base_a, base_b, row_stride_a, row_stride_b : where the sources lie and the words of their
        rows; in external memory bytes, for both.  FRONT's are those of the image there.
    up_a, up_b : whether a source is read at half the resolution (nearest upsampling).
    full_base, pool_base, pixel_stride : where results go (in external memory a byte offset), and
        words from pixel to pixel.
    full_row_stride : bytes from row to row of the result in external memory.
    pool_row_beats : beats of the bus from row to row of its pooled copy there.  Of a step that
        feeds the head, which never pools, ``pool_base`` is the first column of the mask that it
        makes, and ``pool_row_beats`` the mask's width.
    store_full, store_pool, to_head : which results are wanted.
    trim_left, trim_right : the results of the raster's first or last column are dropped.
    odd : the raster starts at an odd column of the layer.
    keep : FRONT's parameters are loaded already.
    from_front : source A is the first convolution, straight from the image.
    last : the program ends after this step.
    weight_bits, activation_bits : kinds and widths this step assumes, see :func:`format_field`.
    multiplier_bits : width of the multipliers it assumes.
    """

    kind: Kind
    kernel: Kernel = Kernel.CONV3X3
    last: int = 0
    from_front: int = 0
    up_a: int = 0
    up_b: int = 0
    store_full: int = 0
    store_pool: int = 0
    to_head: int = 0
    trim_left: int = 0
    trim_right: int = 0
    odd: int = 0
    keep: int = 0
    width: int = 0
    height: int = 0
    groups_a: int = 0
    groups_b: int = 0
    groups_out: int = 0
    words_out: int = 0
    load_address: int = 0
    weight_words: int = 0
    requantize_words: int = 0
    base_a: int = 0
    base_b: int = 0
    row_stride_a: int = 0
    row_stride_b: int = 0
    full_base: int = 0
    pool_base: int = 0
    pixel_stride: int = 0
    full_row_stride: int = 0
    pool_row_beats: int = 0
    weight_bits: int = 0
    activation_bits: int = 0
    multiplier_bits: int = 0

    @property
    def columns(self) -> int:
        """Columns whose results are kept."""
        return self.width - self.trim_left - self.trim_right

    def encode(self) -> int:
        """The descriptor's 512 bits, checksum included.

        Raises
        ------
        OverflowError if a value does not fit its field.
        """
        values = {f.name: int(getattr(self, f.name)) for f in fields(self)}
        values["magic"] = MAGIC
        bits = position = 0
        for name, width in FIELDS:
            value = values.get(name, 0)
            if not 0 <= value < 1 << width:
                raise OverflowError(f"Descriptor field {name} must fit {width} bits, not {value}")
            bits |= value << position
            position += width
        return bits | ((checksum(bits) ^ CHECK) << (32 * (DESCRIPTOR_WORDS - 1)))


def checksum(bits: int) -> int:
    """Exclusive or of the sixteen words of a descriptor's bits."""
    result = 0
    for word in range(DESCRIPTOR_WORDS):
        result ^= (bits >> (32 * word)) & 0xFFFF_FFFF
    return result


def split_beats(value: int, bits: int, bus_bits: int) -> list[int]:
    """``value`` of ``bits`` bits as beats, lowest first, the last zero-padded."""
    mask = (1 << bus_bits) - 1
    return [(value >> position) & mask for position in range(0, bits, bus_bits)]
