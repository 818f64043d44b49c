"""Staggered array: a MAC array whose lanes take a window one after the other."""

from dataclasses import replace

from amaranth.hdl import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..plan.conv_spec import ConvSpec
from .array_styles import make_array
from .delay import delay

__all__ = ["StaggeredArray"]


class StaggeredArray(wiring.Component):
    """Arrays of some lanes each, side by side, with a register between any two.

    ::

        window -+-> register -+-> register -+-> ...
                |             |             |
                array         array         array
                |             |             |
                registers     register      +-> sums
                |             +---------------> sums
                +-----------------------------> sums

    A window's wires so reach from lanes to the next ones rather than over the whole die, and every
    lane has the window in registers beside it.

    *Latency*: :attr:`latency` cycles from a window to all of its sums.  *Throughput*: a window per
    cycle, no stall.

    Parameters
    ----------
    spec : formats, lanes and style.

    Members
    -------
    window, sums : as of :class:`.mac_array.MacArray`.
    weights : likewise, but those of every next ``spec.lanes_together`` lanes come a cycle later.
    """

    def __init__(self, spec: ConvSpec):
        self._spec = spec
        super().__init__(
            {
                "window": In(data.ArrayLayout(spec.word_bits, spec.window_words)),
                "weights": In(spec.weight_bits),
                "sums": Out(data.ArrayLayout(signed(spec.partial.width), spec.lanes_out)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a window to its sums."""
        return self._spec.array_latency + self._spec.stagger

    def elaborate(self, platform):
        m = Module()
        spec = self._spec
        size = spec.weight_bits // spec.lanes_out
        window = self.window
        for late in range(spec.stagger + 1):
            low = late * spec.lanes_together
            high = min(low + spec.lanes_together, spec.lanes_out)
            part = replace(
                spec, lanes_out=high - low, planned_lanes=spec.planned_lanes or spec.lanes_out
            )
            m.submodules[f"lanes_{low}"] = array = make_array(part)
            if late:
                passed = Signal(window.shape(), name=f"window_{late}", reset_less=True)
                m.d.sync += passed.eq(window)
                window = passed
            m.d.comb += [
                array.window.eq(window),
                array.weights.eq(self.weights[low * size : high * size]),
            ]
            sums = delay(
                m, array.sums.as_value(), spec.stagger - late, f"sums_{late}", reset_less=True
            )
            width = spec.partial.width
            m.d.comb += self.sums.as_value()[low * width : high * width].eq(sums)
        return m
