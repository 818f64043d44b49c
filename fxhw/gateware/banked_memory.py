"""Banked memory: many words in block RAM, with registers on every way in and out."""

from functools import reduce
from operator import or_

from amaranth.hdl import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In

from ..plan.memory_banks import MERGED, MemoryBanks
from .memory_marks import NEVER
from .memory_port import ReadPort, WriteRequest

__all__ = ["BankedMemory"]


class BankedMemory(wiring.Component):
    """A memory of one write and one read port, split into banks.

    ::

        address -+-> the bank's address -> bank -> its word, or 0 -+
                 +-> the bank's address -> bank -> its word, or 0 -+-> or -> word

    An arrow is a register, and writes have one more before.  Each bank has addresses of its own,
    which change only with its own words, so a path to block RAM is nothing but wire, and to few
    blocks; and nothing but wire follows it.  An address past the end belongs to no bank: it is not
    written, and reads as 0 or as what lies unused in the last bank's blocks.

    *Latency*: a word follows its address by ``plan.latency`` cycles; a write is there for an
    address that comes two cycles after it.  *Throughput*: a write and a word per cycle.

    Parameters
    ----------
    plan : depth, width and banks.
    name : of the memory; that of bank ``n`` is ``name_n`` where there are several.
    init : initial words.

    Members
    -------
    write : stream of writes.
    read : words to read; none may be asked for in the cycle after its write.
    """

    def __init__(self, plan: MemoryBanks, name: str, init: tuple[int, ...] = ()):
        self._plan = plan
        self._name = name
        self._init = init
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
            merged = []
            for part in range(0, len(words), MERGED):
                word = Signal(plan.width, name=f"merged_{part}", reset_less=True)
                m.d.sync += word.eq(reduce(or_, words[part : part + MERGED]))
                merged.append(word)
            words = merged
        coming = Signal(plan.latency)
        m.d.sync += coming.eq(Cat(read.enable, coming))
        m.d.comb += [read.data.eq(words[0]), read.valid.eq(coming[-1])]
        return m

    def _bank(self, m, number, writing, written, data):
        """One bank with its addresses; returns its word, 0 while another bank's is wanted."""
        plan, bank = self._plan, self._plan.banks[number]
        alone = len(plan.banks) == 1
        mem = memory.Memory(
            shape=plan.width,
            depth=bank.words,
            init=self._init[bank.first : bank.first + bank.words],
            attrs=NEVER,
        )
        m.submodules[self._name if alone else f"{self._name}_{number}"] = mem
        write, read = mem.write_port(), mem.read_port()
        requests = (
            (write, writing, written),
            (read, self.read.enable, self.read.address),
        )
        for port, wanted, address in requests:
            bits = len(port.addr)
            own = wanted & (address[bits:] == bank.first >> bits)
            place = Signal.like(port.addr, name=f"address_{number}", reset_less=True)
            enable = Signal(name=f"enable_{number}")
            m.d.sync += enable.eq(own)
            with m.If(own):
                m.d.sync += place.eq(address)
            m.d.comb += [port.addr.eq(place), port.en.eq(enable)]
        m.d.comb += write.data.eq(data)
        there = Signal(name=f"there_{number}")
        word = Signal(plan.width, name=f"word_{number}", reset_less=True)
        m.d.sync += there.eq(read.en)
        # A synchronous reset takes no look-up table, so merging the banks takes one per bit.
        m.d.sync += word.eq(read.data if alone else Mux(there, read.data, 0))
        return word

