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
from dataclasses import dataclass, replace
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
    "ADDRESS_HALVES",
    "HALF_BITS",
    "SUM_BITS",
    "CarryIn",
    "Condition",
    "Operation",
    "Scratch",
    "When",
    "check_descriptor",
    "conditions",
    "half_of",
    "preparation",
    "prepare_cycles",
]

HALF_BITS = 16
"""Bits of an operand."""

SUM_BITS = HALF_BITS + 1
"""Bits of the accumulator: the sum of two operands does not carry."""

ADDRESS_HALVES = ("base_a", "base_b", "row_stride_a", "row_stride_b", "full_base", "pool_base")
"""Fields of two half words that lie in the feature memory."""


class When(enum.IntEnum):
    """What must hold of the descriptor for an operation to have an effect."""

    NEVER = 0
    ALWAYS = 1
    CHECKSUM = 2
    KIND = 3
    ORDER = 4
    FORMAT = 5
    FRONT = 6
    HEAD = 7
    CONV = 8
    NOT_HEAD = 9
    FROM_FRONT = 10
    TO_HEAD = 11
    MEETS = 12
    STORES = 13
    CONV_STORES = 14
    CONV_POOLS = 15


class Condition(enum.IntEnum):
    """What an operation's sum is when it is an error."""

    ANY = 0
    CARRY = 1
    ZERO = 2
    NONZERO = 3


class CarryIn(enum.IntEnum):
    """What is added beside both summands; ODD is the operand's lowest bit."""

    ZERO = 0
    ONE = 1
    CARRY = 2
    ODD = 3


class Scratch(enum.IntEnum):
    """Half words kept from one descriptor to the next, behind the descriptor's own."""

    FRONT_WIDTH = 0
    FRONT_HEIGHT = 1
    FRONT_GROUPS = 2
    HEAD_GROUPS = 3
    PRODUCT = 4


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation.

    Parameters
    ----------
    operand : half word to add; None adds 0.
    constant : the other summand; None takes the accumulator.
    invert : the accumulator is inverted first.
    carry : what is added beside both.
    when, fails, code : the error if ``when`` holds and the sum is as ``fails`` says.
    output : name of the step's field that takes the operand or, for ``row_words`` and
        ``groups_in``, the accumulator as it was before the operation.
    store : where the accumulator, as it was before, is stored if ``when`` holds.
    count : the accumulator, as it was before, is 2 less than the runs of the next ``repeat``.
    repeat : the operation is done again until these are over, but at least once.
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


def _equal(name, when, code) -> Operation:
    """A field must be what the accumulator is."""
    return Operation(
        operand=half_of(name),
        constant=None,
        invert=True,
        carry=CarryIn.ONE,
        when=when,
        fails=Condition.NONZERO,
        code=code,
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
    operations = [
        *_headers(),
        *_shapes(),
        *_capacities(design),
        *_addresses(design),
        *_products(design),
        _take("weight_words", -1),
        Operation(load=0),
        _take("requantize_words", -1),
        Operation(load=1),
        Operation(end=True),
    ]
    result = []
    for operation in operations:
        # What is stored takes the place of the next operand's address.
        if result and result[-1].store is not None and operation.operand is not None:
            result.append(Operation())
        result.append(operation)
    return tuple(result)


def _headers() -> list[Operation]:
    """What bits beside the fields tell."""
    return [
        Operation(when=When[code.name], code=code)
        for code in (ErrorCode.CHECKSUM, ErrorCode.KIND, ErrorCode.ORDER, ErrorCode.FORMAT)
    ]


def _shapes() -> list[Operation]:
    """What must not be zero, and what must be equal."""
    shape = ErrorCode.SHAPE
    zero = {"fails": Condition.ZERO, "code": shape}

    def keep(where, when):
        return Operation(store=where, when=when)

    return [
        _take("width", when=When.ALWAYS, output="width", **zero),
        keep(Scratch.FRONT_WIDTH, When.FRONT),
        _take("height", when=When.ALWAYS, output="height", **zero),
        keep(Scratch.FRONT_HEIGHT, When.FRONT),
        _take("groups_a", when=When.ALWAYS, output="groups_a", **zero),
        keep(Scratch.HEAD_GROUPS, When.HEAD),
        _take("groups_out", when=When.NOT_HEAD, output="groups_out", **zero),
        keep(Scratch.FRONT_GROUPS, When.FRONT),
        _take("words_out", when=When.STORES, output="words_out", **zero),
        _take("groups_out"),
        _equal("requantize_words", When.NOT_HEAD, shape),
        _take("groups_a"),
        _equal("weight_words", When.HEAD, shape),
        _take("requantize_words", -1, when=When.HEAD, fails=Condition.NONZERO, code=shape),
        _take(Scratch.FRONT_WIDTH),
        _equal("width", When.MEETS, shape),
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
    """What must lie in a memory."""
    words, code = design.feature_words, ErrorCode.FEATURE_ADDRESS
    operations = []
    for name in ADDRESS_HALVES:
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
    # A sum that would not fit a half word carries if it starts here.
    full = 1 << HALF_BITS
    groups_in = [_take("groups_a"), _add("groups_b")]
    count_groups_in = [_take("groups_a", -2), _add("groups_b")]
    return [
        *count_groups_in,
        _set(full, count=True),
        _add("groups_out", repeat=True, when=When.NOT_HEAD, code=shape, **carry),
        _set(0, store=Scratch.PRODUCT, when=When.ALWAYS),
        _take(Scratch.PRODUCT),
        _equal("weight_words", When.NOT_HEAD, shape),
        *_contradictions(design),
        *count_groups_in,
        _set(full, count=True),
        _add("width", repeat=True, when=When.CONV, code=capacity, **carry),
        _set(0, store=Scratch.PRODUCT, when=When.ALWAYS, output="row_words"),
        _below(Scratch.PRODUCT, design.row_words + 1, When.CONV, capacity),
        _below("weight_words", design.weight_words + 1, When.CONV, capacity),
        # Twice the words: pairs of columns, the odd one rounded up.
        _take("groups_out", -2),
        _set(-2 * design.pool_words - 1, count=True),
        replace(
            _add("width", repeat=True, when=When.CONV_POOLS, code=capacity, **carry),
            carry=CarryIn.ODD,
        ),
        *groups_in,
        _set(0, output="groups_in"),
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


def conditions(design: Design, bits: int, place: int) -> set[When]:
    """What holds of a descriptor's ``bits`` at ``place`` in the program, 3 standing for later ones.

    The errors hold as if those before them did not.
    """
    d, position = {}, 0
    for name, width in FIELDS:
        d[name] = bits >> position & ((1 << width) - 1)
        position += width
    front, head, conv = (d["kind"] == kind for kind in Kind)
    kernel = Kernel.CONV3X3_MULTIPLIER if design.mul_bits else Kernel.CONV3X3
    stores = bool(d["store_full"] or d["store_pool"])
    formats = [
        (d["weight_bits"], design.weight_field),
        (d["activation_bits"], design.activation_field),
    ]
    if design.mul_bits:
        formats.append((d["multiplier_bits"], design.mul_bits))
    holds = {
        When.ALWAYS: True,
        When.CHECKSUM: d["magic"] != MAGIC or checksum(bits) != CHECK,
        When.KIND: not (front or head or conv)
        or d["kernel"] != kernel
        or (conv and not stores and not d["to_head"]),
        When.ORDER: front != (place == 0)
        or head != (place == 1)
        or (conv and d["from_front"] != (place == 2))
        or d["to_head"] != d["last"]
        or (not conv and d["last"]),
        When.FORMAT: any(has != wants for has, wants in formats),
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
    scratch : half words kept from the descriptors before; changed.
    """
    holds = conditions(design, bits, place)
    halves = {n: bits >> n * HALF_BITS & ((1 << HALF_BITS) - 1) for n in range(_HALVES)}
    total, carry, count = 0, 0, 0
    for operation in preparation(design):
        applies = operation.when in holds
        if operation.store is not None and applies:
            scratch[operation.store] = total % (1 << HALF_BITS)
        if operation.count:
            count = (total + 2) % (1 << SUM_BITS)
        for _ in range(max(1, count) if operation.repeat else 1):
            operand = 0
            if operation.operand is not None:
                kept = {half_of(where): value for where, value in scratch.items()}
                operand = {**halves, **kept}.get(operation.operand, 0)
            other = operation.constant
            if other is None:
                other = (1 << SUM_BITS) - 1 - total if operation.invert else total
            carry, total = divmod(
                operand + other + (0, 1, carry, operand & 1)[operation.carry], 1 << SUM_BITS
            )
            wrong = (True, carry == 1, total == 0, total != 0)[operation.fails]
            if applies and wrong and operation.code:
                return operation.code
    return ErrorCode.NONE
