"""Partial sums: what each output group has summed so far."""

from amaranth.hdl import *
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["PartialSums"]


class PartialSums(wiring.Component):
    """A memory of a word per group, of which one is in use in every cycle.

    Read ahead, the next group's word is read while this one's is written, so that neither the
    address nor the memory lies between the word and what it is used for; of the same group once
    more it is what is being written.  That takes a look-up table and a flip-flop for every bit.

    *Latency*: a word is there in the cycle after its group was named.  *Throughput*: a word read
    and one written per cycle.

    Parameters
    ----------
    width : bits of a word.
    groups : words.
    ahead : whether they are read ahead.

    Members
    -------
    next_group : the group of the next cycle.
    word : the word of this cycle's group; not defined before it was written.
    write_enable, total : this group's word is to be ``total``.
    """

    def __init__(self, width: int, groups: int, ahead: bool):
        self._ahead = ahead
        self._groups = groups
        super().__init__(
            {
                "next_group": In(range(groups)),
                "word": Out(width),
                "write_enable": In(1),
                "total": In(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = memory.Memory(
            shape=self.total.shape(), depth=self._groups, init=[]
        )
        recall, store = words.read_port(domain="comb"), words.write_port()
        group = Signal.like(self.next_group, reset_less=True)
        m.d.sync += group.eq(self.next_group)
        if self._ahead:
            word = Signal.like(self.word, reset_less=True)
            again = self.write_enable & (self.next_group == group)
            m.d.sync += word.eq(Mux(again, self.total, recall.data))
            m.d.comb += [self.word.eq(word), recall.addr.eq(self.next_group)]
        else:
            m.d.comb += [self.word.eq(recall.data), recall.addr.eq(group)]
        m.d.comb += [
            store.addr.eq(group),
            store.en.eq(self.write_enable),
            store.data.eq(self.total),
        ]
        return m
