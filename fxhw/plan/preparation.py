"""Preparation program: what the sequencer does with a descriptor before its step may run.

A descriptor is checked one half word per cycle by one adder: a field, or a sum of fields, against
a constant or against another field.  The operations, in the order in which errors are reported,
are made here from the design's maxima; hardware keeps them in a small table of its own and runs
them while the step before computes, so that their time costs nothing and their gates little.

The accumulator is a bit wider than a half word.  An operation adds an operand (a half word of the
descriptor or of the scratch memory, or 0) to a constant or to the accumulator, which may be
inverted, and a carry.  So ``operand + 2**17 - c`` carries if the operand is c or more, and
``operand + ~accumulator + 1`` is 0 if both are equal.
"""

import enum
from dataclasses import dataclass
from functools import cache

from .design import Design
from .program import (
    CHECK,
    DESCRIPTOR_WORDS,
    FIELDS,
    MAGIC,
    Descriptor,
    Kernel,
    Kind,
    checksum,
)
from .registers import ErrorCode

__all__ = [
    "HALF_BITS",
    "SUM_BITS",
    "CarryIn",
    "Condition",
    "Operation",
    "Scratch",
    "When",
    "check_descriptor",
    "half_of",
    "header_error",
    "next_place",
    "preparation",
    "prepare_cycles",
]

HALF_BITS = 16
"""Bits of an operand."""

SUM_BITS = HALF_BITS + 1
"""Bits of the accumulator: the sum of two operands does not carry."""

_FEATURE_ADDRESSES = ("base_a", "base_b", "row_stride_a", "row_stride_b", "full_base", "pool_base")
"""Fields of two half words that lie in the feature memory."""


class When(enum.IntEnum):
    """What must hold of the descriptor for an operation to be able to fail."""

    NEVER = 0
    ALWAYS = 1
    HEADER = 2
    FRONT = 3
    HEAD = 4
    CONV = 5
    NOT_HEAD = 6
    FROM_FRONT = 7
    TO_HEAD = 8
    MEETS = 9
    STORES = 10
    CONV_STORES = 11
    CONV_POOLS = 12


class Condition(enum.IntEnum):
    """What an operation's sum is when it is an error."""

    ANY = 0
    CARRY = 1
    ZERO = 2
    NONZERO = 3


class CarryIn(enum.IntEnum):
    """What is added beside both summands; ODD is the operand's lowest bit, LEFT and RIGHT are set
    if results of the raster's first and last column are kept."""

    ZERO = 0
    ONE = 1
    CARRY = 2
    ODD = 3
    LEFT = 4
    RIGHT = 5


class Scratch(enum.IntEnum):
    """Half words behind the descriptor's own; descriptors of a kind leave theirs to later ones."""

    FRONT_WIDTH = 0
    FRONT_HEIGHT = 1
    FRONT_GROUPS = 2
    HEAD_GROUPS = 3
    PRODUCT = 4

    @property
    def when(self) -> When:
        """What must hold of a descriptor that stores here."""
        return {Scratch.HEAD_GROUPS: When.HEAD, Scratch.PRODUCT: When.ALWAYS}.get(self, When.FRONT)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation.

    Parameters
    ----------
    operand : half word to add; None adds 0.
    constant : the other summand; None takes the accumulator.
    invert : the accumulator is inverted first.
    carry : what is added beside both.
    when, fails, code : the error if ``when`` holds and the sum is as ``fails`` says; NONE stands
        for the first that :func:`header_error` finds.
    output : name of the step's field that takes the operand or, for ``row_words`` and
        ``groups_in``, the accumulator as it was before the operation.
    store : where the accumulator, as it was before, is stored, if the descriptor is of that
        place's kind; it can be read by the operation after the next.
    count : the accumulator, as it was before, tells how often the next ``repeat`` is done.
    repeat : the operation is done that often, but at least once.
    load : section of parameters to load; the accumulator is the number of its last word.
    end : the descriptor is good.
    """

    operand: int | None = None
    constant: int | None = 0
    invert: bool = False
    carry: CarryIn = CarryIn.ZERO
    when: When = When.NEVER
    fails: Condition = Condition.ANY
    code: ErrorCode = ErrorCode.NONE
    output: str | None = None
    store: Scratch | None = None
    count: bool = False
    repeat: bool = False
    load: int | None = None
    end: bool = False


_POSITIONS = {
    name: sum(bits for _, bits in FIELDS[:index]) // HALF_BITS
    for index, (name, _) in enumerate(FIELDS)
}

_HALVES = 32 * DESCRIPTOR_WORDS // HALF_BITS


def half_of(name: str | Scratch) -> int:
    """Number of the half word that holds a field: its low one; scratch ones follow."""
    return _HALVES + name if isinstance(name, Scratch) else _POSITIONS[name]


def _take(name, plus=0, **rest) -> Operation:
    """The accumulator becomes a field, or a field and a constant."""
    return Operation(operand=half_of(name), constant=plus % (1 << SUM_BITS), **rest)


def _set(value, **rest) -> Operation:
    """The accumulator becomes a constant."""
    return Operation(constant=value % (1 << SUM_BITS), **rest)


def _add(name, **rest) -> Operation:
    return Operation(operand=half_of(name), constant=None, **rest)


def _equal(name, when, code, **rest) -> Operation:
    """A field must be what the accumulator is."""
    return Operation(
        operand=half_of(name),
        constant=None,
        invert=True,
        carry=CarryIn.ONE,
        when=when,
        fails=Condition.NONZERO,
        code=code,
        **rest,
    )


def _below(name, end, when, code, **rest) -> Operation:
    """A field must be less than ``end``."""
    fails = {"when": when, "fails": Condition.CARRY, "code": code}
    return _take(name, -end, **fails, **rest) if end < 1 << HALF_BITS else _take(name, **rest)


def _address_below(name, end, when, code) -> list[Operation]:
    """A field of two half words must be less than ``end``: the low halves first."""
    low, high = end % (1 << HALF_BITS), end >> HALF_BITS
    # Without anything to subtract, the low half would not carry.
    borrow = low > 0
    return [
        _take(name, -low, output=name),
        Operation(
            operand=half_of(name) + 1,
            constant=(1 << SUM_BITS) - high - borrow,
            carry=CarryIn.CARRY if borrow else CarryIn.ZERO,
            when=when,
            fails=Condition.CARRY,
            code=code,
            output=f"{name}.high",
        ),
    ]


@cache
def preparation(design: Design) -> tuple[Operation, ...]:
    """The operations that prepare a step on ``design``, in their order."""
    return (
        Operation(when=When.HEADER),
        *_shapes(design),
        *_capacities(design),
        *_addresses(design),
        *_products(design),
        _take("weight_words", -1),
        Operation(load=0),
        _take("requantize_words", -1),
        Operation(load=1),
        Operation(end=True),
    )


def _columns(design: Design) -> list[Operation]:
    """Columns whose results are kept, of which there must be one: width - 2 and 1 for each side
    that is not trimmed."""
    if not design.external:
        return []
    check = {"when": When.ALWAYS, "code": ErrorCode.SHAPE}
    return [
        _take("width", -2, carry=CarryIn.LEFT),
        Operation(constant=None, carry=CarryIn.RIGHT, fails=Condition.ZERO, **check),
        # Of -1 columns it carries, of 1 or more it does not.
        _add(
            "width",
            fails=Condition.CARRY,
            output="columns",
            store=Scratch.FRONT_WIDTH,
            **check,
        ),
    ]


def _shapes(design: Design) -> list[Operation]:
    """What must not be zero, and what must be equal."""
    shape = ErrorCode.SHAPE
    zero = {"fails": Condition.ZERO, "code": shape}
    whole = {} if design.external else {"store": Scratch.FRONT_WIDTH}
    return [
        _take("width", when=When.ALWAYS, output="width", **zero),
        *_columns(design),
        _take("height", when=When.ALWAYS, output="height", **whole, **zero),
        _take(
            "words_out", when=When.STORES, output="words_out", store=Scratch.FRONT_HEIGHT, **zero
        ),
        _take("groups_a", when=When.ALWAYS, output="groups_a", **zero),
        _equal("weight_words", When.HEAD, shape, store=Scratch.HEAD_GROUPS),
        _take("groups_out", when=When.NOT_HEAD, output="groups_out", **zero),
        _equal("requantize_words", When.NOT_HEAD, shape, store=Scratch.FRONT_GROUPS),
        _take("requantize_words", -1, when=When.HEAD, fails=Condition.NONZERO, code=shape),
        _take(Scratch.FRONT_WIDTH),
        # Strips that feed the head may be of any width.
        _equal("width", When.FROM_FRONT if design.external else When.MEETS, shape),
        _take(Scratch.FRONT_HEIGHT),
        _equal("height", When.MEETS, shape),
        _take(Scratch.FRONT_GROUPS),
        _equal("groups_a", When.FROM_FRONT, shape),
        _take(
            "groups_b",
            when=When.FROM_FRONT,
            fails=Condition.NONZERO,
            code=shape,
            output="groups_b",
        ),
        _take(Scratch.HEAD_GROUPS),
        _equal("groups_out", When.TO_HEAD, shape),
    ]


def _capacities(design: Design) -> list[Operation]:
    """What must not exceed a maximum by itself."""
    capacity = ErrorCode.CAPACITY
    operations = [
        _below("width", design.max_width + 1, When.ALWAYS, capacity),
        _below("height", design.max_height + 1, When.ALWAYS, capacity),
    ]
    for when, most in (
        (When.FRONT, design.image_channels),
        (When.HEAD, design.head_groups),
        (When.CONV, design.max_groups_in),
    ):
        # The first carry tells if source A alone is too much.
        operations += [
            _below("groups_a", most + 1, when, capacity),
            _add("groups_b", when=when, fails=Condition.CARRY, code=capacity),
        ]
    return [
        *operations,
        _below("groups_out", design.front_groups + 1, When.FRONT, capacity),
        _below("groups_out", design.max_groups_out + 1, When.CONV, capacity),
    ]


def _addresses(design: Design) -> list[Operation]:
    """What must lie in a memory; who reads and writes an external one looks for himself."""
    if design.external:
        operations = []
        for name in (*_FEATURE_ADDRESSES, "full_row_stride", "load_address"):
            high = Operation(operand=half_of(name) + 1, output=f"{name}.high")
            operations += [_take(name, output=name), high]
        return [
            *operations,
            *(_take(name, output=name) for name in ("pool_row_beats", "pixel_stride")),
        ]
    words, code = design.feature_words, ErrorCode.FEATURE_ADDRESS
    operations = []
    for name in _FEATURE_ADDRESSES:
        end = words + 1 if name.startswith("row_stride") else words
        operations += _address_below(name, end, When.CONV, code)
    return [
        *operations,
        _below("pixel_stride", words + 1, When.CONV, code, output="pixel_stride"),
        *_address_below(
            "load_address", design.parameter_beats, When.ALWAYS, ErrorCode.PARAMETER_ADDRESS
        ),
    ]


def _products(design: Design) -> list[Operation]:
    """Products of the fields, summed up: weight words, a row's words, a pooled row's words."""
    shape, capacity = ErrorCode.SHAPE, ErrorCode.CAPACITY
    carry = {"fails": Condition.CARRY}
    groups_in = [_take("groups_a"), _add("groups_b")]
    return [
        *groups_in,
        _set(0, count=True, output="groups_in"),
        _add("groups_out", repeat=True, when=When.NOT_HEAD, code=shape, **carry),
        _equal("weight_words", When.NOT_HEAD, shape),
        *_contradictions(design),
        *groups_in,
        # What would not fit a half word carries if it starts here.
        _set(1 << HALF_BITS, count=True),
        _add("width", repeat=True, when=When.CONV, code=capacity, **carry),
        _below(
            "weight_words",
            design.weight_words + 1,
            When.CONV,
            capacity,
            store=Scratch.PRODUCT,
            output="row_words",
        ),
        # Twice a pooled row's words: pairs of columns, the odd one rounded up.
        _take("groups_out"),
        _set(-2 * design.pool_words - 1, count=True),
        _add(
            "width",
            repeat=True,
            carry=CarryIn.ODD,
            when=When.CONV_POOLS,
            code=capacity,
            **carry,
        ),
        _below(Scratch.PRODUCT, design.row_words + 1, When.CONV, capacity),
    ]


def _contradictions(design: Design) -> list[Operation]:
    """Some number of channels must fill both the array's groups and the memory's words."""
    when, code = When.CONV_STORES, ErrorCode.SHAPE
    pin, pout = design.pin, design.pout
    if pin == pout:
        return [_take("groups_out"), _equal("words_out", when, code)]
    # From here on, words_out channels less the last word's are more than the array makes, ...
    end = -(-design.max_groups_out * pout // pin) + 1
    operations = [_below("words_out", end, when, code)]
    fields = {"words_out": pin, "groups_out": pout}
    # ... and so that neither count, less its last group, covers the other one.
    for more, less in (("words_out", "groups_out"), ("groups_out", "words_out")):
        fails = {"when": when, "fails": Condition.CARRY, "code": code}
        operations.append(_set(fields[more]))
        operations += [_add(less)] * fields[less]
        first = Operation(
            operand=half_of(more), constant=None, invert=True, carry=CarryIn.ONE, **fails
        )
        operations += [first, *[_add(more, **fails)] * (fields[more] - 1)]
    return operations


def prepare_cycles(design: Design, d: Descriptor) -> int:
    """Cycles of a good descriptor's operations, its parameters' loading not included."""
    groups_in = d.groups_a + d.groups_b
    repeats = 2 * (groups_in - 1) + max(0, d.groups_out - 1)
    return len(preparation(design)) + repeats


def _fields(bits: int) -> dict[str, int]:
    fields, position = {}, 0
    for name, width in FIELDS:
        fields[name] = bits >> position & ((1 << width) - 1)
        position += width
    return fields


def next_place(design: Design, bits: int, place: int) -> int:
    """Place of the descriptor behind the one of ``bits`` at ``place``.

    0 and 1 are those of FRONT and HEAD, 2 that of the CONV that takes the first convolution's
    words, 3 that of any other.  In external memory a FRONT may stand at 3, and has 2 behind it.
    """
    if design.external and place == 3:
        return 2 if _fields(bits)["kind"] == Kind.FRONT else 3
    return min(place + 1, 3)


def header_error(design: Design, bits: int, place: int) -> ErrorCode:
    """What a descriptor's first word, its widths and its checksum tell.

    Parameters
    ----------
    bits : the descriptor's bits.
    place : its place in the program, see :func:`next_place`.
    """
    d = _fields(bits)
    front, head, conv = (d["kind"] == kind for kind in Kind)
    kernel = Kernel.CONV3X3_MULTIPLIER if design.mul_bits else Kernel.CONV3X3
    formats = [
        (d["weight_bits"], design.weight_field),
        (d["activation_bits"], design.activation_field),
    ]
    if design.mul_bits:
        formats.append((d["multiplier_bits"], design.mul_bits))
    if d["magic"] != MAGIC or checksum(bits) != CHECK:
        return ErrorCode.CHECKSUM
    if (
        not (front or head or conv)
        or d["kernel"] != kernel
        or (conv and not (d["store_full"] or d["store_pool"] or d["to_head"]))
    ):
        return ErrorCode.KIND
    again = design.external and front and place == 3
    # The head may take one strip after the other.
    heads = d["last"] != d["to_head"]
    if design.external:
        heads = d["to_head"] < d["last"] or d["to_head"] > conv
    if (
        front != (place == 0 or again)
        or (design.external and d["keep"] != again)
        or head != (place == 1)
        or (conv and d["from_front"] != (place == 2))
        or heads
        or (not conv and d["last"])
    ):
        return ErrorCode.ORDER
    return ErrorCode.FORMAT if any(has != wants for has, wants in formats) else ErrorCode.NONE


def _conditions(design: Design, bits: int, place: int) -> set[When]:
    """What holds of a descriptor's ``bits`` at ``place`` in the program."""
    d = _fields(bits)
    front, head, conv = (d["kind"] == kind for kind in Kind)
    stores = d["store_full"] or d["store_pool"]
    holds = {
        When.ALWAYS: True,
        When.HEADER: header_error(design, bits, place),
        When.FRONT: front,
        When.HEAD: head,
        When.CONV: conv,
        When.NOT_HEAD: not head,
        When.FROM_FRONT: d["from_front"],
        When.TO_HEAD: d["to_head"],
        When.MEETS: d["from_front"] or d["to_head"],
        When.STORES: stores,
        When.CONV_STORES: conv and stores,
        When.CONV_POOLS: conv and d["store_pool"],
    }
    return {when for when, held in holds.items() if held}


def check_descriptor(design: Design, bits: int, place: int, scratch: dict) -> ErrorCode:
    """What the operations find in a descriptor's ``bits`` at ``place`` in the program.

    Parameters
    ----------
    place : see :func:`next_place`.
    scratch : half words kept from the descriptors before; changed.
    """
    holds = _conditions(design, bits, place)
    d = _fields(bits)
    kept = not d["trim_left"], not d["trim_right"]
    halves = {n: bits >> n * HALF_BITS & ((1 << HALF_BITS) - 1) for n in range(_HALVES)}
    halves |= {half_of(where): value for where, value in scratch.items()}
    total, carry, count = 0, 0, 0
    for operation in preparation(design):
        applies = operation.when in holds
        if operation.store is not None and operation.store.when in holds:
            value = total % (1 << HALF_BITS)
            scratch[operation.store] = halves[half_of(operation.store)] = value
        if operation.count:
            count = total
        for _ in range(max(1, count) if operation.repeat else 1):
            operand = halves.get(operation.operand, 0)
            other = operation.constant
            if other is None:
                other = (1 << SUM_BITS) - 1 - total if operation.invert else total
            carry, total = divmod(
                operand + other + (0, 1, carry, operand & 1, *kept)[operation.carry],
                1 << SUM_BITS,
            )
            wrong = (True, carry == 1, total == 0, total != 0)[operation.fails]
            if applies and wrong:
                return operation.code or header_error(design, bits, place)
    return ErrorCode.NONE
