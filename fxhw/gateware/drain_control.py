"""Drain control: when a bus block throws away what it has, and when it may go on."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["DrainControl"]


class DrainControl(wiring.Component):
    """Begins to drain at a cancellation or an error and ends when all is home.

    After an error it also waits until the fault is cleared, so that nothing new begins before
    somebody has looked.  Errors of what is thrown away anyway are no faults.

    Members
    -------
    cancel : pulse, throw away all there is.
    clear : pulse, forget the fault.
    error : pulse, the bus has answered with an error.
    home : nothing is left to be thrown away.
    fault : an error came; stays until ``clear``.
    draining : throw away what comes, begin nothing.
    """

    cancel: In(1)
    clear: In(1)
    error: In(1)
    home: In(1)
    fault: Out(1)
    draining: Out(1)

    def elaborate(self, platform):
        m = Module()
        ended = Signal()  # nothing is left, and nothing was taken since draining began
        m.d.sync += ended.eq(self.home & self.draining)
        with m.If(self.clear):
            m.d.sync += self.fault.eq(0)
        with m.If(ended & ~self.fault):
            m.d.sync += self.draining.eq(0)
        with m.If(self.error & ~self.draining):
            m.d.sync += [self.fault.eq(1), self.draining.eq(1)]
        with m.If(self.cancel):
            m.d.sync += self.draining.eq(1)
        return m
