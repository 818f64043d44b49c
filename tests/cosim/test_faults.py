"""Whatever a host gets wrong ends in an error code, and the next good run works."""

import random

import numpy as np
import pytest

from fxhw.cosim import Folder, Script, run_scripts
from fxhw.cosim.traces import read_mask
from fxhw.emit.bundle import write_bundle
from fxhw.golden import run_network
from fxhw.plan import ErrorCode, compile_network, design_for
from fxhw.plan.program import DESCRIPTOR_WORDS, FIELDS, MAGIC, checksum
from fxhw.plan.registers import IDENTITY, Control, Status, registers_of
from tests.networks import random_image, random_network

pytestmark = pytest.mark.cosim

SIZE = (8, 6)
LIMIT = 20_000


@pytest.fixture(scope="module")
def plan():
    network = random_network(5, (2, 3), SIZE, 4, 4)
    return compile_network(network, design_for(network, 2, 2))


@pytest.fixture(scope="module")
def dut(plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults") / "dut"
    write_bundle(random_network(5, (2, 3), SIZE, 4, 4), plan, folder)
    return folder


@pytest.fixture(scope="module")
def image():
    return random_image(np.random.default_rng(5), SIZE)


class Session:
    """Scripts that are run in one simulation, each faulty one followed by a good run."""

    def __init__(self, dut, plan, image):
        self.dut, self.plan, self.image = dut, plan, image
        mask = run_network(Folder.open(dut).network, image)[0]
        assert mask.any()
        assert not mask.all()
        self.mask = np.where(mask.reshape(-1), 255, 0).tolist()
        self.scripts, self.reads = [], []

    def add(self, act, load=None):
        """A faulty run: ``act(script)`` does it; ``load`` is another parameter memory."""
        script = Script()
        if load is not None:
            script.load(0, load, self.plan.design.bus_bits)
        where = {"wait": act(script)}
        self._finish(script, where)
        script = Script()
        if load is not None:
            script.load(0, self.plan.beats, self.plan.design.bus_bits)
        script.play(self.image)
        script.start()
        self._finish(script, {"wait": script.wait(LIMIT)})

    def _finish(self, script, where):
        script.idle(50)
        where["bytes"] = script.stop()
        for name in ("STATUS", "ERROR", "CYCLES"):
            where[name] = script.read(name)
        self.scripts.append(script)
        self.reads.append(where)

    def run(self):
        """(what happened in each faulty run); asserts that every good run was good."""
        masks = {}

        def keep_mask(number, folder):
            masks[number] = read_mask(folder / "mask.txt")[2]

        cache = self.dut.parent / "cache"
        outcome = run_scripts(self.dut, self.scripts, cache=cache, inspect=keep_mask)
        results = [
            {name: values[index] for name, index in where.items()}
            for values, where in zip(outcome, self.reads)
        ]
        for number, good in enumerate(results[1::2]):
            assert good["wait"], (number, good)
            assert good["STATUS"] & 7 == Status.DONE, (number, good)
            assert good["ERROR"] == 0, (number, good)
            assert masks[2 * number + 1].tolist() == self.mask, number
            assert good["bytes"] == [self.image.size, self.image.size], (number, good)
            assert abs(good["CYCLES"] - self.plan.estimate.total) <= 8, (number, good)
        return results[0::2]


def with_field(plan, index, **changes):
    """The parameter memory with a descriptor's fields changed and its checksum made right."""
    beats = list(plan.beats)
    per = 32 * DESCRIPTOR_WORDS // plan.design.bus_bits
    bits = plan.descriptors[index].encode()
    position = 0
    for name, width in FIELDS:
        if name in changes:
            mask = ((1 << width) - 1) << position
            bits = (bits & ~mask) | (changes[name] << position & mask)
        position += width
    if "check" not in changes:
        last = 32 * (DESCRIPTOR_WORDS - 1)
        good = checksum(plan.descriptors[index].encode())
        bits ^= (checksum(bits) ^ good) << last
    for n in range(per):
        shift = plan.design.bus_bits * n
        beats[index * per + n] = (bits >> shift) & ((1 << plan.design.bus_bits) - 1)
    return tuple(beats)


def run_once(script, image, last_byte=None):
    script.play(image, last_byte=last_byte)
    script.start()
    return script.wait(LIMIT)


def test_broken_descriptors(dut, plan, image):
    words = plan.design.feature_words
    cases = [
        (ErrorCode.CHECKSUM, 2, {"check": 0}),
        (ErrorCode.CHECKSUM, 0, {"magic": MAGIC ^ 1}),
        (ErrorCode.KIND, 3, {"kind": 9}),
        (ErrorCode.KIND, 3, {"kernel": 1}),
        (ErrorCode.KIND, 3, {"kernel": 8, "multiplier_bits": 4}),
        (ErrorCode.KIND, 3, {"store_full": 0, "store_pool": 0}),
        (ErrorCode.ORDER, 1, {"kind": 3, "store_full": 1}),
        (ErrorCode.ORDER, 3, {"from_front": 1}),
        (ErrorCode.ORDER, 3, {"last": 1}),
        (ErrorCode.FORMAT, 2, {"weight_bits": 5}),
        (ErrorCode.FORMAT, 4, {"activation_bits": 3}),
        (ErrorCode.SHAPE, 3, {"width": 0}),
        (ErrorCode.SHAPE, 3, {"groups_a": 0}),
        (ErrorCode.SHAPE, 3, {"requantize_words": 9}),
        (ErrorCode.SHAPE, 3, {"weight_words": 99}),
        (ErrorCode.SHAPE, 5, {"words_out": 3}),
        (ErrorCode.SHAPE, 5, {"words_out": 1}),
        (ErrorCode.SHAPE, 2, {"height": 7}),
        (ErrorCode.SHAPE, 0, {"groups_out": 0, "requantize_words": 0}),
        (ErrorCode.CAPACITY, 3, {"width": 100}),
        (ErrorCode.CAPACITY, 3, {"groups_b": 500}),
        (ErrorCode.CAPACITY, 0, {"groups_a": 2}),
        (ErrorCode.FEATURE_ADDRESS, 3, {"base_a": words}),
        (ErrorCode.FEATURE_ADDRESS, 3, {"base_a": words - 1}),
        (ErrorCode.FEATURE_ADDRESS, 3, {"full_base": words - 2}),
        (ErrorCode.FEATURE_ADDRESS, 2, {"pool_base": 0xFFFF_FFFF}),
        (ErrorCode.PARAMETER_ADDRESS, 3, {"load_address": len(plan.beats) - 1}),
        (ErrorCode.PARAMETER_ADDRESS, 3, {"load_address": 0xFFFF_FFFF}),
    ]
    session = Session(dut, plan, image)
    for _, index, changes in cases:
        load = with_field(plan, index, **changes)
        session.add(lambda script: run_once(script, image), load=load)
    for (code, index, changes), result in zip(cases, session.run()):
        got = ErrorCode(result["ERROR"] & 0xFF).name, result["ERROR"] >> 16
        at = got[1] - index in (0, 1)  # a step is prepared while the one before it runs
        assert result["wait"], (code.name, changes)
        assert got[0] == code.name, (changes, got)
        assert at, (code.name, changes, got)
        assert result["STATUS"] & 7 == Status.ERROR


def test_random_damage_never_hangs(dut, plan, image):
    """A field with a random value and a right checksum: an error, or a run that ends."""
    rng = random.Random(1)
    session = Session(dut, plan, image)
    names = [(name, width) for name, width in FIELDS if name not in ("magic", "check")]
    for _ in range(60):
        name, width = rng.choice(names)
        index = rng.randrange(len(plan.descriptors))
        value = rng.choice([rng.getrandbits(width), rng.randrange(4), (1 << width) - 1])
        load = with_field(plan, index, **{name: value})
        session.add(lambda script: run_once(script, image), load=load)
    results = session.run()
    assert all(result["wait"] for result in results)
    assert any(result["ERROR"] for result in results)


def test_program_elsewhere(dut, plan, image):
    """PROGRAM past the memory, or at something that is no program."""
    session = Session(dut, plan, image)

    def run_at(address):
        def act(script):
            script.write("PROGRAM", address)
            came = run_once(script, image)
            script.write("PROGRAM", 0)
            return came

        return act

    session.add(run_at(len(plan.beats) - 2))
    session.add(run_at(0x1234_5678))
    session.add(run_at(8 * len(plan.descriptors)))
    codes = [result["ERROR"] & 0xFF for result in session.run()]
    assert codes == [
        ErrorCode.PARAMETER_ADDRESS, ErrorCode.PARAMETER_ADDRESS, ErrorCode.CHECKSUM,
    ]  # fmt: skip


def test_image_length(dut, plan, image):
    pixels = image.size
    longer = np.concatenate([image.reshape(-1), image.reshape(-1)[:17]])
    session = Session(dut, plan, image)
    session.add(lambda script: run_once(script, image, last_byte=0))
    session.add(lambda script: run_once(script, image.reshape(-1)[: pixels // 2]))
    session.add(lambda script: run_once(script, longer))
    short, half, long = session.run()
    assert short["ERROR"] & 0xFF == half["ERROR"] & 0xFF == ErrorCode.IMAGE_SHORT
    assert long["ERROR"] & 0xFF == ErrorCode.IMAGE_LONG
    assert long["bytes"][0] == longer.size, "the rest of a long image is swallowed"


def test_host_mistakes_do_not_disturb_a_run(dut, plan, image):
    def start_twice(script):
        script.play(image)
        script.start()
        script.idle(100)
        script.start()
        return script.wait(LIMIT)

    def load_while_busy(script):
        script.play(image)
        script.start()
        script.write("LOAD_ADDRESS", 0)
        script.write("LOAD_DATA", 0xDEAD)
        script.write("LOAD_DATA", 0xBEEF)
        return script.wait(LIMIT)

    def load_past_the_end(script):
        script.write("LOAD_ADDRESS", len(plan.beats))
        script.write("LOAD_DATA", 1)
        return script.read("STATUS")

    session = Session(dut, plan, image)
    for act in (start_twice, load_while_busy, load_past_the_end):
        session.add(act)
    twice, load, past = session.run()
    assert twice["ERROR"] & 0xFF == ErrorCode.START_BUSY
    assert load["ERROR"] & 0xFF == ErrorCode.LOAD_BUSY
    for result in (twice, load):
        assert result["STATUS"] & 7 == Status.DONE | Status.ERROR, "the run itself ended well"
        assert result["bytes"] == [image.size, image.size]
    assert past["ERROR"] & 0xFF == ErrorCode.LOAD_ADDRESS


def test_registers_that_are_not_there(dut, plan):
    """AXI4-Lite answers SLVERR (2), and what is there goes on working."""
    end = 4 * len(registers_of(external=False))
    script = Script()
    answers = [script.write_offset(end, 1), script.write_offset(0xFC, 1)]
    values = [script.read_offset(end), script.read("ID"), script.read("PARAMETER_BEATS")]
    (outcome,) = run_scripts(dut, [script], cache=dut.parent / "cache")
    assert [outcome[index] for index in answers] == [2, 2]
    assert [outcome[index] for index in values] == [0, IDENTITY, len(plan.beats)]


def test_abort(dut, plan, image):
    """ABORT in every phase, half-way through the image included."""
    session = Session(dut, plan, image)
    half = image.reshape(-1)[: image.size // 2]
    moments = (1, 12, 25, 60, 130, 400)

    def abort_after(cycles, stream, last_byte=None):
        def act(script):
            script.play(stream, last_byte=last_byte)
            script.start()
            script.idle(cycles)
            script.write("CONTROL", Control.ABORT | Control.IRQ_ENABLE)
            script.idle(20)
            return script.read("STATUS")

        return act

    for cycles in moments:
        session.add(abort_after(cycles, half, last_byte=image.size))
    for result in session.run():
        assert result["wait"] & Status.BUSY == 0
        assert result["ERROR"] == 0
