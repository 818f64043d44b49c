"""Banked memory: many words in block RAM, with registers on every way in and out."""

from functools import reduce

from amaranth.hdl import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In

from ..plan.memory_banks import MERGED, MemoryBanks
from .delay import delay
from .memory_port import ReadPort, WriteRequest
from .registered_memory import RegisteredMemory

__all__ = ["BankedMemory"]


class BankedMemory(wiring.Component):
    """A memory of one write and one read port, split into banks.

    ::

        address -+-> the bank's address -> bank -> its word -> -+
                 +-> the bank's address -> bank -> its word -> -+-> the one that was wanted -> word

    An arrow is a register, and writes have one more before; on the way into a bank there is another
    one, beside every few blocks.  Each bank has addresses of its own, which change only with its
    own words, so a path to block RAM is nothing but wire, and to few blocks; and nothing but wire
    follows it.  An address past the end belongs to no bank: it is not written, and what it reads is
    not defined.

    *Latency*: a word follows its address by ``plan.latency`` cycles; a write is there for an
    address that comes two cycles after it.  *Throughput*: a write and a word per cycle.

    Parameters
    ----------
    plan : depth, width and banks.
    name : of the memory; that of bank ``n`` is ``name_n`` where there are several.
    init : initial words.
    target : family of the cells, as of :class:`.registered_memory.RegisteredMemory`.

    Members
    -------
    write : stream of writes.
    read : words to read; none may be asked for in the cycle after its write.
    """

    def __init__(
        self, plan: MemoryBanks, name: str, init: tuple[int, ...] = (), target: str = "generic"
    ):
        self._plan = plan
        self._name = name
        self._init = init
        self._target = target
        request = WriteRequest(plan.depth, plan.width)
        super().__init__(
            {
                "write": In(stream.Signature(request, always_ready=True)),
                "read": In(ReadPort(plan.depth, plan.width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        plan, read = self._plan, self.read
        writing = Signal()
        request = Signal(self.write.payload.shape(), reset_less=True)
        data = Signal(plan.width, reset_less=True)
        m.d.sync += [writing.eq(self.write.valid), data.eq(request.data)]
        with m.If(self.write.valid):
            m.d.sync += request.eq(self.write.payload)
        words = [
            self._bank(m, number, writing, request.address, data)
            for number in range(len(plan.banks))
        ]
        while len(words) > 1:
            parts = [words[part : part + MERGED] for part in range(0, len(words), MERGED)]
            words = [self._merge(m, number, part) for number, part in enumerate(parts)]
        coming = Signal(plan.latency)
        m.d.sync += coming.eq(Cat(read.enable, coming))
        m.d.comb += [read.data.eq(words[0][1]), read.valid.eq(coming[-1])]
        return m

    def _bank(self, m, number, writing, written, data):
        """One bank with its addresses; returns whether its word is wanted, and that."""
        plan, bank = self._plan, self._plan.banks[number]
        name = self._name if len(plan.banks) == 1 else f"{self._name}_{number}"
        mem = RegisteredMemory(
            bank.words,
            plan.width,
            name,
            self._target,
            self._init[bank.first : bank.first + bank.words],
            spread=True,
        )
        m.submodules[f"bank_{number}"] = mem
        requests = (
            ("write", mem.write_address, writing, written),
            ("read", mem.address, self.read.enable, self.read.address),
        )
        for port, own_address, wanted, address in requests:
            bits = len(own_address)
            own = wanted & (address[bits:] == bank.first >> bits)
            place = Signal.like(own_address, name=f"{port}_address_{number}", reset_less=True)
            enable = Signal(name=f"{port}_{number}")
            m.d.sync += enable.eq(own)
            with m.If(own):
                m.d.sync += place.eq(address)
            m.d.comb += own_address.eq(place)
            if port == "write":
                m.d.comb += [mem.write_enable.eq(enable), mem.data.eq(data)]
        # On for a cycle more, in which the word goes into the register.
        moving = Signal(name=f"moving_{number}")
        m.d.sync += moving.eq(own | enable)
        m.d.comb += mem.enable.eq(moving)
        word = mem.word
        if len(plan.banks) > 1:
            # Banks lie all over the die, and what merges them lies in one place.
            word = Signal(plan.width, name=f"word_{number}", reset_less=True)
            m.d.sync += word.eq(mem.word)
        # All of the latency but the address's register and where words merge.
        wanted = delay(m, enable, plan.latency - 1 - plan.levels, f"wanted_{number}")
        return wanted, word

    def _merge(self, m, number, words):
        """The word that is wanted, of several (whether it is, word), likewise, a cycle later."""
        word = Signal(self._plan.width, name=f"merged_{number}", reset_less=True)
        wanted = Signal(name=f"merged_{number}_wanted")
        *others, (_, last) = words
        m.d.sync += [
            word.eq(reduce(lambda rest, one: Mux(*one, rest), reversed(others), last)),
            wanted.eq(Cat(flag for flag, _ in words).any()),
        ]
        return wanted, word
