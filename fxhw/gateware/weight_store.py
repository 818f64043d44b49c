"""Weight store: wide words, loaded in narrow beats, one bank in use while the other loads."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .registered_memory import RegisteredMemory

__all__ = ["BLOCK_BITS", "LoadSignature", "WeightStore", "stored_parts"]

BLOCK_BITS = 36
"""Bits of a block RAM's widest word on most families."""


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

    A word lies in memories side by side, each as wide as block RAMs are, so it is read at once.
    Beats are not, so what of a beat fills no memory's word waits for the next one.  The memories
    lie far apart, so each has a write enable of its own, from a register with no gate before it.

    A word may have sections, each of which is read a cycle later than the one before: what takes
    them does so one after the other, and each has the address beside it.

    *Latency*: a word follows its address by two cycles, each further section by one more; a beat
    is written two cycles after it came.  *Throughput*: a word and a beat per cycle.

    Parameters
    ----------
    word_bits : bits of a word.
    depth : words per bank.
    bus_bits : bits of a beat.
    banks : 1, or 2 to load one while the other is read.
    target : family of the cells, as of :class:`.registered_memory.RegisteredMemory`.
    section_bits : bits of a section; 0 for the whole word.

    Members
    -------
    load : the beat to write.
    enable : whether the beat is for this store.
    bank, address : the word to read.
    word : the word read.
    """

    def __init__(
        self,
        word_bits: int,
        depth: int,
        bus_bits: int,
        banks: int = 1,
        target: str = "generic",
        section_bits: int = 0,
    ):
        self._section_bits = section_bits or word_bits
        self._word_bits = word_bits
        self._depth = depth
        self._bus_bits = bus_bits
        self._banks = banks
        self._target = target
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

        # What came, and the memory that it completes a word of.
        parts = stored_parts(self._word_bits, self._bus_bits)
        load = self.load.signature.create(path=("came",))
        for name in load.signature.members:
            m.d.sync += getattr(load, name).eq(getattr(self.load, name))
        number = self.load.beat[: ceil_log2(len(parts))]
        completes = Signal(len(parts), reset_less=True)
        m.d.sync += completes.eq(
            Cat(self.load.valid & self.enable & (number == part) for part in range(len(parts)))
        )
        # The beat to be written, and what came before it, as far back as a memory's word can reach.
        beat = Signal(self._bus_bits, reset_less=True)
        recent = Signal(BLOCK_BITS - 1, reset_less=True)
        place = Signal(range(depth), reset_less=True)
        known = Cat(recent, beat)
        m.d.sync += place.eq(locate(load.bank, load.word))
        with m.If(load.valid):
            m.d.sync += [recent.eq(known[self._bus_bits :]), beat.eq(load.data)]
        addresses = [locate(self.bank, self.address)]
        for late in range(1, -(-self._word_bits // self._section_bits)):
            addresses.append(Signal(range(depth), name=f"address_{late}", reset_less=True))
            m.d.sync += addresses[-1].eq(addresses[-2])
        for part, (low, high) in enumerate(parts):
            if low == high:
                continue
            writing = Signal(name=f"writing_{part}", reset_less=True)
            m.d.sync += writing.eq(completes[part])
            for section, address in enumerate(addresses):
                start = max(low, section * self._section_bits)
                end = min(high, (section + 1) * self._section_bits)
                if start >= end:
                    continue
                # A bank is loaded while the other one is read, or while nothing is.
                mem = RegisteredMemory(depth, end - start, f"beat_{part}", self._target)
                m.submodules[f"part_{part}_{section}"] = mem
                first = start - (part * self._bus_bits - len(recent))
                m.d.comb += [
                    mem.write_address.eq(place),
                    mem.data.eq(known[first : first + end - start]),
                    mem.write_enable.eq(writing),
                    mem.enable.eq(1),
                    mem.address.eq(address),
                    self.word[start:end].eq(mem.word),
                ]
        return m


def stored_parts(word_bits: int, bus_bits: int) -> list[tuple[int, int]]:
    """Bits (first, end) of a word that each of its beats completes and stores."""
    beats = -(-word_bits // bus_bits)
    ends = [beat * bus_bits // BLOCK_BITS * BLOCK_BITS for beat in range(1, beats)]
    return list(zip([0, *ends], [*ends, word_bits]))
