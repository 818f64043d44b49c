# amaranth: UnusedElaboratable=no

"""Stream contracts and data of the generic stages, the pool and the repacker."""

import pytest
from amaranth.hdl import Assume, Cat, Const, Mux, Signal

from fxhw.gateware.max_pool import MaxPool
from fxhw.gateware.repacker import Repacker
from fxhw.gateware.stream import StreamBuffer, StreamFifo, StreamFork

from .prover import prove_stream_contract, prove_stream_function

pytestmark = pytest.mark.formal


def same(words):
    return words


class TestStreamBuffer:
    def test_contract(self):
        prove_stream_contract(StreamBuffer(4), progress=2)

    def test_data(self):
        prove_stream_function(StreamBuffer(4), 6, same, depth=10)


class TestStreamFork:
    @staticmethod
    def enable_holds(m, fork):
        """``enable`` changes only while no word is inside."""
        inside, enable = Signal(), Signal(fork.count)
        offers = Cat(branch.valid for branch in fork.o).any() | ~fork.i.ready
        m.d.sync += [inside.eq(fork.i.valid | offers), enable.eq(fork.enable)]
        m.d.comb += Assume(~inside | (fork.enable == enable))

    def test_contract(self):
        prove_stream_contract(StreamFork(4, 3), assumptions=self.enable_holds, progress=2)

    @pytest.mark.parametrize("enable", [0b01, 0b10, 0b11])
    def test_data(self, enable):
        prove_stream_function(
            StreamFork(4, 2), 5,
            lambda words: {f"o.{n}": words * (enable >> n & 1) for n in (0, 1)},
            config={"enable": enable}, depth=10,
        )


class TestStreamFifo:
    @pytest.mark.parametrize("depth", [1, 2, 3, 4])
    def test_contract(self, depth):
        prove_stream_contract(StreamFifo(2, depth))

    @pytest.mark.parametrize("depth", [1, 2, 3, 4])
    def test_never_hangs(self, depth):
        prove_stream_contract(StreamFifo(2, depth), depth=14, mode="bmc", progress=3)

    @pytest.mark.parametrize("depth", [1, 2, 3])
    def test_data(self, depth):
        prove_stream_function(StreamFifo(2, depth), 4, same, depth=10)


def pooled(height, width, groups):
    """Expected words of a map of one-lane words: the largest of each window, in raster order."""

    def largest(words, y, x, g):
        value = Const(0)
        for n, word in enumerate(words):
            if n % groups == g and n // groups // width // 2 == y and n // groups % width // 2 == x:
                value = Mux(word > value, word, value)
        return value

    return lambda words: [
        largest(words, y, x, g)
        for y in range(-(-height // 2)) for x in range(-(-width // 2)) for g in range(groups)
    ]


def begun(m, dut):
    """A map, set up in the first cycle, begins in the second one, and its words come later."""
    settled, given = Signal(), Signal()
    m.d.sync += [settled.eq(1), given.eq(settled)]
    m.d.comb += [Assume(dut.start == (settled & ~given)), Assume(given | ~dut.i.valid)]


class TestMaxPool:
    def test_contract(self):
        config = {"width": range(1, 4), "height": range(1, 4), "groups": 1, "start": 0}
        prove_stream_contract(MaxPool(2, 1, 2, max_size=3), config, depth=7, progress=8)

    @pytest.mark.parametrize(
        "size", [(1, 1, 2), (1, 3, 1), (3, 1, 1), (2, 2, 1), (2, 2, 2), (3, 3, 1)]
    )
    def test_data(self, size):
        height, width, groups = size
        count = height * width * groups
        prove_stream_function(
            MaxPool(2, 1, -(-width // 2) * groups, max_size=4), count, pooled(*size),
            config={"width": width, "height": height, "groups": groups}, assumptions=begun,
            depth=count + 10, progress=10,
        )


def repacked(in_lanes, out_lanes, in_words, out_words, bits):
    """Expected words of whole pixels."""

    def pixel(words):
        codes = Cat(*words, Const(0, out_words * out_lanes * bits))
        size = out_lanes * bits
        return [codes[n * size : (n + 1) * size] for n in range(out_words)]

    return lambda words: [
        word for n in range(0, len(words), in_words) for word in pixel(words[n : n + in_words])
    ]


class TestRepacker:
    @pytest.mark.parametrize("lanes", [(1, 2), (2, 1), (2, 3), (3, 2), (1, 3), (2, 2)])
    def test_contract(self, lanes):
        config = {"in_words": range(1, 4), "out_words": range(1, 4)}
        if lanes == (2, 2):
            config = {"in_words": 2, "out_words": 2}
        prove_stream_contract(Repacker(1, *lanes, max_words=3), config)

    @pytest.mark.parametrize("lanes", [(1, 3), (3, 2)])
    def test_never_hangs(self, lanes):
        config = {"in_words": range(1, 4), "out_words": range(1, 4)}
        prove_stream_contract(
            Repacker(1, *lanes, max_words=3), config, depth=12, mode="bmc", progress=1
        )

    @pytest.mark.parametrize(
        ("lanes", "words"),
        [
            ((1, 2), (2, 1)), ((1, 2), (3, 2)), ((1, 2), (1, 2)), ((2, 1), (1, 2)),
            ((2, 1), (2, 3)), ((2, 1), (2, 1)), ((2, 3), (2, 2)), ((2, 3), (3, 2)),
            ((3, 2), (1, 2)), ((3, 2), (2, 3)),
        ],
    )
    def test_data(self, lanes, words):
        prove_stream_function(
            Repacker(1, *lanes, max_words=3), 2 * words[0], repacked(*lanes, *words, bits=1),
            config={"in_words": words[0], "out_words": words[1]}, depth=2 * max(words) + 4,
        )
