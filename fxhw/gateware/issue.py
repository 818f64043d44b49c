"""Issue: which weight word goes with a window, and when."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..plan.conv_spec import ConvSpec
from .credits import Credits
from .lap_counter import LapCounter

__all__ = ["Issue"]


class Issue(wiring.Component):
    """Holds a window for ``groups_out`` cycles, one weight word each.

    Behind it nothing stalls.  So it waits until the queues for the results have room, which is
    known from registers.  It waits with every input group, though only the last one has results:
    with the queues full there is no hurry.

    *Latency*: combinational.  *Throughput*: a weight word per cycle.

    Parameters
    ----------
    spec : lanes and maxima.
    depth : words that each of the queues, one per pixel, holds.

    Members
    -------
    start : pulse that begins a layer.
    groups_in, groups_out : words per pixel in and out; stable during a layer.
    valid : there is a window.
    done : the window is not needed longer than this cycle, if there is one.
    there : of each queue, whether the window has results for it.
    taken : of each queue, whether a word leaves it.
    fire : a window meets a weight word in this cycle.
    first, last : it is a pixel's first, or last, input group.
    group : the output group.
    word : address of the weight word.
    """

    def __init__(self, spec: ConvSpec, depth: int):
        self._spec = spec
        self._depth = depth
        super().__init__(
            {
                "start": In(1),
                "groups_in": In(range(spec.max_groups_in + 1)),
                "groups_out": In(range(spec.max_groups_out + 1)),
                "valid": In(1),
                "done": Out(1),
                "there": In(spec.pixels),
                "taken": In(spec.pixels),
                "fire": Out(1),
                "first": Out(1),
                "last": Out(1),
                "group": Out(range(spec.max_groups_out)),
                "word": Out(range(spec.weight_words)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.group_in = group_in = LapCounter(self._spec.max_groups_in)
        m.submodules.group_out = group_out = LapCounter(self._spec.max_groups_out)
        queues = []
        for number in range(self._spec.pixels):
            credits = Credits(self._depth)
            m.submodules[f"credits_{number}"] = credits
            m.d.comb += [
                credits.sent.eq(self.fire & self.last & self.there[number]),
                credits.returned.eq(self.taken[number]),
            ]
            queues.append(credits)
        # Everything before the window waits for this, so it is known a cycle ahead.
        room = Signal()
        done = Signal()
        room_next = Cat(credits.room_next for credits in queues).all()
        m.d.sync += [room.eq(room_next), done.eq(room_next & group_out.last_next)]
        window_ends = self.fire & group_out.last
        m.d.comb += [
            self.fire.eq(self.valid & room),
            self.done.eq(done),
            group_out.start.eq(self.start),
            group_out.count.eq(self.groups_out),
            group_out.step.eq(self.fire),
            self.group.eq(group_out.value),
            group_in.start.eq(self.start),
            group_in.count.eq(self.groups_in),
            group_in.step.eq(window_ends),
            self.last.eq(group_in.last),
        ]
        first = Signal(reset_less=True)
        word = Signal.like(self.word, reset_less=True)
        last_word = Signal(reset_less=True)  # of the pixel
        m.d.sync += last_word.eq(group_in.last_next & group_out.last_next)
        m.d.comb += [self.first.eq(first), self.word.eq(word)]
        begins = self.start | (self.fire & last_word)
        with m.If(begins):
            m.d.sync += word.eq(0)
        with m.Elif(self.fire):
            m.d.sync += word.eq(word + 1)
        with m.If(self.start | window_ends):
            m.d.sync += first.eq(begins)
        return m
