"""Row length: the words and the bytes of a row, without a multiplier."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..plan.packed_words import PackedWords

__all__ = ["RowLength"]


class RowLength(wiring.Component):
    """``words = pixels * groups`` and ``bytes = words * packed.word_bytes``, by repeated addition.

    *Latency*: ``groups`` and 2 cycles.

    Parameters
    ----------
    packed : words of a feature map.
    max_pixels, max_groups : most pixels of a row, and words per pixel.

    Members
    -------
    start : pulse that begins.
    pixels, groups : 1 or more; stable from ``start`` until done.
    busy : the result is still to come.
    words, bytes : the result; stays until the next start.
    """

    def __init__(self, packed: PackedWords, max_pixels: int, max_groups: int):
        self._packed = packed
        most = max_pixels * max_groups
        super().__init__(
            {
                "start": In(1),
                "pixels": In(range(max_pixels + 1)),
                "groups": In(range(max_groups + 1)),
                "busy": Out(1),
                "words": Out(range(most + 1)),
                "bytes": Out(range(most * packed.word_bytes + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pixels = Signal.like(self.pixels)
        column = Signal(range(self._packed.word_bytes << len(pixels)))
        left = Signal(range(-2, 1 << len(self.groups)))  # negative behind the last group
        settled = Signal()  # the pixels' bytes are right
        m.d.sync += [
            pixels.eq(self.pixels),
            column.eq(pixels * self._packed.word_bytes),
            settled.eq(1),
        ]
        with m.If(self.busy & settled):
            m.d.sync += [
                self.words.eq(self.words + pixels),
                self.bytes.eq(self.bytes + column),
                left.eq(left - 1),
                self.busy.eq(~left[-1]),
            ]
        with m.If(self.start):
            m.d.sync += [
                self.busy.eq(1),
                self.words.eq(0),
                self.bytes.eq(0),
                left.eq(self.groups - 2),
                settled.eq(0),
            ]
        return m
