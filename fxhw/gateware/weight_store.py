"""Weight store: wide words, loaded in narrow beats, one bank in use while the other loads."""

from amaranth.hdl import *
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

__all__ = ["LoadSignature", "WeightStore"]


class LoadSignature(wiring.Signature):
    """One beat of parameters on its way into a store.

    Parameters
    ----------
    bus_bits : bits of a beat.

    Members
    -------
    valid : whether there is a beat.
    second : whether it belongs to the second section (requantization words, bias).
    bank : bank to write.
    word, beat : word of the section, and beat of the word.
    data : the beat.
    """

    def __init__(self, bus_bits: int):
        self._bus_bits = bus_bits
        super().__init__(
            {
                "valid": Out(1),
                "second": Out(1),
                "bank": Out(1),
                "word": Out(16),
                "beat": Out(16),
                "data": Out(bus_bits),
            }
        )

    @property
    def bus_bits(self) -> int:
        return self._bus_bits


class WeightStore(wiring.Component):
    """A memory of wide words in one or two banks, written beat by beat.

    Every beat of a word has a memory of its own, so a whole word is read at once.

    *Latency*: a word follows its address by one cycle.  *Throughput*: a word and a beat per
    cycle.

    Parameters
    ----------
    word_bits : bits of a word.
    depth : words per bank.
    bus_bits : bits of a beat.
    banks : 1, or 2 to load one while the other is read.

    Members
    -------
    load : the beat to write.
    enable : whether the beat is for this store.
    bank, address : the word to read.
    word : the word read.
    """

    def __init__(self, word_bits: int, depth: int, bus_bits: int, banks: int = 1):
        self._word_bits = word_bits
        self._depth = depth
        self._bus_bits = bus_bits
        self._banks = banks
        super().__init__(
            {
                "load": In(LoadSignature(bus_bits)),
                "enable": In(1),
                "bank": In(1),
                "address": In(range(depth)),
                "word": Out(word_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # A bank starts at a power of two so that the bank is one address bit.
        span = ceil_log2(self._depth)
        depth = self._depth if self._banks == 1 else (1 << span) + self._depth

        def locate(bank, word):
            return word if self._banks == 1 else Cat(word[:span], bank)

        for beat, low in enumerate(range(0, self._word_bits, self._bus_bits)):
            width = min(self._bus_bits, self._word_bits - low)
            mem = memory.Memory(shape=width, depth=depth, init=[])
            m.submodules[f"beat_{beat}"] = mem
            write, read = mem.write_port(), mem.read_port()
            m.d.comb += [
                write.addr.eq(locate(self.load.bank, self.load.word)),
                write.data.eq(self.load.data),
                write.en.eq(self.load.valid & self.enable & (self.load.beat == beat)),
                read.addr.eq(locate(self.bank, self.address)),
                self.word[low : low + width].eq(read.data),
            ]
        return m
