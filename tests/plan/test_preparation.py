"""The preparation program finds what the checks, written down one by one, find."""

import random
from dataclasses import replace

import pytest

from fxhw.plan import ErrorCode, compile_network, design_for
from fxhw.plan.preparation import (
    When,
    check_descriptor,
    header_error,
    next_place,
    preparation,
)
from fxhw.plan.program import CHECK, FIELDS, Kind, checksum
from tests.networks import random_network

VALUES = {
    16: (0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 255, 256, 0x7FFF, 0x8000, 0xFFFF),
    32: (0, 1, 0xFFFF, 0x1_0000, 0x1_0001, 0x7FFF_FFFF, 0xFFFF_FFFF),
}


def with_fields(bits, sound=True, **changes):
    """A descriptor's bits with fields changed; its checksum is made right if ``sound``."""
    position = 0
    for name, width in FIELDS:
        if name in changes:
            mask = ((1 << width) - 1) << position
            bits = (bits & ~mask) | (changes[name] << position & mask)
        position += width
    return bits ^ (checksum(bits) ^ CHECK) << 480 if sound else bits


def damage(rng, design, descriptors):
    """Bits of a program of which one descriptor is not what it should be, or not where."""
    program = [d.encode() for d in descriptors]
    if design.external and rng.random() < 0.3:
        # Of the orders that may be, there are more than one.
        index, other = rng.sample(range(len(program)), 2)
        moved = program.pop(index) if rng.random() < 0.7 else program[index]
        if rng.random() < 0.7:
            program.insert(other, moved)
        return program
    place = rng.randrange(len(program))
    wide = [(name, bits) for name, bits in FIELDS if bits in VALUES and "reserved" not in name]
    narrow = [(name, bits) for name, bits in FIELDS if bits < 16 and "reserved" not in name]
    changes = {}
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        name, bits = rng.choice(wide if rng.random() < 0.8 else narrow)
        if bits < 16:
            changes[name] = rng.randrange(1 << bits)
            continue
        near = [
            design.feature_words,
            design.parameter_beats,
            design.max_width,
            design.weight_words,
            getattr(descriptors[place], name, 0),
        ]
        values = [*VALUES[bits], *(n + by for n in near for by in (-1, 0, 1) if n + by >= 0)]
        changes[name] = rng.choice(values) % (1 << bits)
    changes.pop("check", None)
    program[place] = with_fields(program[place], rng.random() < 0.95, **changes)
    return program


def expected(design, bits, place, before):
    """The checks one by one; ``before`` has the fields of the FRONT and HEAD descriptors."""
    d, position = {}, 0
    for name, width in FIELDS:
        d[name] = bits >> position & ((1 << width) - 1)
        position += width
    error = header_error(design, bits, place)
    if error:
        return error
    front, head, conv = (d["kind"] == kind for kind in Kind)
    if front or head:
        before[Kind(d["kind"])] = d
    width, height, groups_out = d["width"], d["height"], d["groups_out"]
    d["columns"] = width
    if design.external:
        d["columns"] -= d["trim_left"] + d["trim_right"]
        if d["columns"] < 1:
            return ErrorCode.SHAPE
    groups_in = d["groups_a"] + d["groups_b"]
    stores = d["store_full"] or d["store_pool"]
    first = before[Kind.FRONT]
    if (
        0 in (width, height, d["groups_a"])
        or (not head and groups_out == 0)
        or (stores and d["words_out"] == 0)
        or (not head and d["requantize_words"] != groups_out)
        or (head and (d["weight_words"] != d["groups_a"] or d["requantize_words"] != 1))
        or ((d["from_front"] or d["to_head"]) and height != first["height"])
        or (
            (d["from_front"] or (d["to_head"] and not design.external))
            and width != first["columns"]
        )
        or (d["from_front"] and (d["groups_a"] != first["groups_out"] or d["groups_b"]))
        or (d["to_head"] and groups_out != before[Kind.HEAD]["groups_a"])
    ):
        return ErrorCode.SHAPE
    most = {
        Kind.FRONT: (design.image_channels, design.front_groups),
        Kind.HEAD: (design.head_groups, 0xFFFF),
        Kind.CONV: (design.max_groups_in, design.max_groups_out),
    }[d["kind"]]
    if (
        width > design.max_width
        or height > design.max_height
        or groups_in > most[0]
        or groups_out > most[1]
    ):
        return ErrorCode.CAPACITY
    outside = [
        d[name] >= design.feature_words for name in ("base_a", "base_b", "full_base", "pool_base")
    ]
    outside += [
        d[name] > design.feature_words for name in ("row_stride_a", "row_stride_b", "pixel_stride")
    ]
    if conv and any(outside) and not design.external:
        return ErrorCode.FEATURE_ADDRESS
    if d["load_address"] >= design.parameter_beats and not design.external:
        return ErrorCode.PARAMETER_ADDRESS
    made, stored = groups_out * design.pout, d["words_out"] * design.pin
    contradict = stored + design.pout <= made or made + design.pin <= stored
    if (not head and groups_in * groups_out != d["weight_words"]) or (
        conv and stores and contradict
    ):
        return ErrorCode.SHAPE
    if conv and (
        width * groups_in > design.row_words
        or d["weight_words"] > design.weight_words
        or (d["store_pool"] and (width + 1) // 2 * groups_out > design.pool_words)
    ):
        return ErrorCode.CAPACITY
    return ErrorCode.NONE


def differences(design, descriptors, rng, programs):
    """(place, found, expected) for every damaged program that is misjudged; all codes."""
    wrong, codes = [], set()
    for _ in range(programs):
        scratch, before, place = {}, {}, 0
        for bits in damage(rng, design, descriptors):
            want = expected(design, bits, place, before)
            got = check_descriptor(design, bits, place, scratch)
            if got != want:
                wrong.append((place, got, want))
            codes.add(want)
            if want:
                break
            place = next_place(design, bits, place)
    return wrong, codes


@pytest.mark.parametrize(("pin", "pout"), [(2, 2), (3, 2), (2, 5), (1, 4)])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"feature_words": 1 << 16, "parameter_beats": 1 << 16},
        {"feature_words": 200_000, "parameter_beats": 70_000, "pool_words": 1 << 15},
        {"max_groups_out": 1024, "max_groups_in": 1024, "max_width": 4096, "pool_words": 1 << 15},
        {"max_groups_out": 9, "max_groups_in": 7, "weight_words": 9, "pool_words": 8},
    ],
)
def test_finds_what_the_checks_find(pin, pout, changes):
    network = random_network(7, (3, 4), (9, 6), 3, 4)
    design = design_for(network, pin, pout)
    descriptors = compile_network(network, design).descriptors
    design = replace(design, **changes)
    wrong, codes = differences(design, descriptors, random.Random(pin * 10 + pout), 60)
    assert not wrong
    assert len(codes) >= 5


def striped(pin, pout, bus_bits=64):
    """A design with external memory, and a program for it whose layers come in strips."""
    network = random_network(7, (6, 2), (5, 9), 3, 4)
    row_words = {2: 16, 3: 12}[pin]
    design = design_for(
        network, pin, pout, None, bus_bits, memory="axi", address_bits=40, row_words=row_words
    )
    descriptors = compile_network(network, design).descriptors
    assert [d.kind for d in descriptors].count(Kind.FRONT) > 1
    return design, descriptors


@pytest.mark.parametrize(("pin", "pout"), [(2, 2), (3, 2), (2, 5)])
@pytest.mark.parametrize("changes", [{}, {"max_width": 4096, "pool_words": 1 << 15}])
def test_finds_what_the_checks_find_in_strips(pin, pout, changes):
    design, descriptors = striped(pin, pout)
    design = replace(design, **changes)
    wrong, codes = differences(design, descriptors, random.Random(pin * 10 + pout), 150)
    assert not wrong
    assert codes >= {ErrorCode.NONE, ErrorCode.ORDER, ErrorCode.SHAPE, ErrorCode.CAPACITY}


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("from_front", [0, 1])
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("external", [False, True])
def test_order(external, kind, place, from_front, keep):
    """FRONT, HEAD and the CONV that takes its words come first; a further FRONT, which keeps its
    parameters, comes with external memory alone."""
    design, descriptors = striped(2, 2)
    if not external:
        network = random_network(7, (6, 2), (5, 9), 3, 4)
        design = design_for(network, 2, 2)
        descriptors = compile_network(network, design).descriptors
    like = next(d for d in descriptors if d.kind is kind)
    if kind is Kind.CONV:
        like = replace(like, from_front=from_front)
    good = {
        Kind.FRONT: place == 0 or (external and place == 3),
        Kind.HEAD: place == 1,
        Kind.CONV: place > 1 and from_front == (place == 2),
    }[kind]
    if external:
        good = good and keep == (kind is Kind.FRONT and place == 3)
    wanted = ErrorCode.NONE if good else ErrorCode.ORDER
    assert header_error(design, replace(like, keep=keep).encode(), place) is wanted


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("to_head", [0, 1])
@pytest.mark.parametrize("external", [False, True])
def test_the_last_feeds_the_head(external, last, to_head):
    """And with external memory other strips may before."""
    network = random_network(7, (6, 2), (5, 9), 3, 4)
    design = striped(2, 2)[0] if external else design_for(network, 2, 2)
    descriptor = compile_network(network, design).descriptors[-1]
    bits = replace(descriptor, last=last, to_head=to_head, store_full=1).encode()
    good = last <= to_head if external else last == to_head
    assert header_error(design, bits, 3) is (ErrorCode.NONE if good else ErrorCode.ORDER)


def test_places():
    design, descriptors = striped(2, 2)
    place, places = 0, []
    for descriptor in descriptors:
        places.append(place)
        place = next_place(design, descriptor.encode(), place)
    for index, descriptor in enumerate(descriptors):
        later = 2 if descriptor.from_front else 3
        assert places[index] == (index if index < 2 else later)


@pytest.mark.parametrize(
    "code",
    [
        ErrorCode.SHAPE, ErrorCode.CAPACITY, ErrorCode.FEATURE_ADDRESS, ErrorCode.PARAMETER_ADDRESS
    ],
)  # fmt: skip
def test_an_operation_that_does_not_fail_is_noticed(code, monkeypatch):
    network = random_network(7, (3, 4), (9, 6), 3, 4)
    design = design_for(network, 2, 2)
    descriptors = compile_network(network, design).descriptors
    blind = tuple(
        replace(op, when=When.NEVER) if op.code is code else op for op in preparation(design)
    )
    monkeypatch.setattr("fxhw.plan.preparation.preparation", lambda design: blind)
    wrong, _ = differences(design, descriptors, random.Random(3), 100)
    assert code in {want for _, _, want in wrong}
