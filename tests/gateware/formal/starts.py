"""Blocks that are started, image by image: when they may be, and what comes of it."""

from amaranth.hdl import Assume, Mux, Signal

from ..simulate import member

__all__ = ["idle_start", "per_image", "started"]


def started(words, images=2, port="o"):
    """Assumption: ``start`` comes once for each of ``images`` of ``words`` words at ``port``.

    It comes within two cycles after the last word of the image before has passed, not sooner, and
    not in the first cycle of all: it is set up in the cycle before.  At an input, no word is
    offered before its image is started.
    """

    def assume(m, dut):
        left, begun, late = Signal(range(words + 1)), Signal(range(images + 1)), Signal(2)
        settled, counted = Signal(), member(dut, port)
        m.d.sync += settled.eq(1)
        due = (left == 0) & (begun < images)
        m.d.comb += [
            Assume(~dut.start | (due & settled)),
            Assume(dut.start | ~due | (late < 2)),
        ]
        if port == "i":
            m.d.comb += Assume(~counted.valid | (left != 0))
        m.d.sync += late.eq(Mux(due & ~dut.start, late + 1, 0))
        with m.If(dut.start):
            m.d.sync += [left.eq(words), begun.eq(begun + 1)]
        with m.Elif(counted.valid & counted.ready):
            m.d.sync += left.eq(left - 1)

    return assume


def idle_start(*busy):
    """Assumption: ``start`` comes only while no output word waits and no ``busy`` port is high."""

    def assume(m, dut):
        for path in ("o.valid", *busy):
            m.d.comb += Assume(~(dut.start & member(dut, path)))

    return assume


def per_image(words, images, expected):
    """``expected`` of each of ``images`` equal parts of ``words``."""
    size = len(words) // images
    return [out for n in range(images) for out in expected(words[n * size : (n + 1) * size])]
