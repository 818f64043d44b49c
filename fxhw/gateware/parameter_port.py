"""Parameter port: how the sequencer gets descriptors, and parameters into the stores."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from .descriptor import field_bits
from .parameter_loader import most_words

__all__ = ["ParameterPort"]


class ParameterPort(wiring.Signature):
    """The sequencer's side of whatever holds program and parameters.

    Parameters
    ----------
    design : the maxima.

    Members
    -------
    program : beat at which the program begins.
    rewind : no run is under way; the next descriptor is the program's first.
    active : a step is in preparation; without it everything on its way is given up.
    fetch : pulse: a descriptor is wanted, the one behind that of the fetch before.
    valid, data : one of its beats.
    load : a section of parameters is wanted, until ``loaded``.
    kind, section, bank, last_word : which, for which bank, and the number of its last word.
    address : beat of the step's parameters; the second section lies behind the first.
    loaded : pulse: the section is there, or will be before a step launched now asks for it.
    stray : pulse: a beat lies outside the memory.
    """

    def __init__(self, design: Design):
        super().__init__(
            {
                "program": Out(32),
                "rewind": Out(1),
                "active": Out(1),
                "fetch": Out(1),
                "valid": In(1),
                "data": In(design.bus_bits),
                "load": Out(1),
                "kind": Out(2),
                "section": Out(1),
                "bank": Out(1),
                "last_word": Out(range(most_words(design))),
                "address": Out(field_bits(design)["load_address"]),
                "loaded": In(1),
                "stray": In(1),
            }
        )
