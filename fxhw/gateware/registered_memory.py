"""Registered memory: one write and one read port, and a register behind what is read."""

from amaranth.hdl import *
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from .memory_marks import LUT_RAM, NEVER
from .primitives.ecp5_memory import fits_blocks

__all__ = ["RegisteredMemory"]


class RegisteredMemory(wiring.Component):
    """Words in a memory block, read through the block's own output register where it has one.

    Generated Verilog for ECP5 has the vendor's cells (:mod:`.primitives.ecp5_memory`), but for
    memories that are too small or too deep for them: the synthesizer makes those, as it does for
    every other family.

    *Latency*: a word follows its address by two enabled cycles; a write is there for an address
    that comes in the next cycle.  A word that is read while it is written may be either.  All of
    it a cycle later if the memory is spread.  *Throughput*: a write and a word per cycle.

    Parameters
    ----------
    depth : words.
    width : bits of a word.
    name : of the memory, and of the files with its contents.
    target : family of the cells.
    init : initial words.
    lut_ram : whether it is to lie in look-up tables rather than in a block.
    spread : whether its blocks may lie all over the die, so that what comes in passes a register
        beside every few of them.
    register_enable : whether the register behind has an enable of its own; not of a memory that is
        spread.

    Members
    -------
    write_enable, write_address, data : a word to write.
    enable : the read side moves on: ``address`` is taken, and ``word`` becomes that of the address
        taken before.
    register_enable : where there is one, ``word`` moves on with it alone; never in a cycle without
        ``enable``.
    address : a word to read.
    word : the word read.

    Raises
    ------
    ValueError if the memory is spread and its register has an enable of its own.
    """

    def __init__(
        self,
        depth: int,
        width: int,
        name: str = "words",
        target: str = "generic",
        init: tuple[int, ...] = (),
        lut_ram: bool = False,
        spread: bool = False,
        register_enable: bool = False,
    ):
        if spread and register_enable:
            raise ValueError(
                f"Memory {name} must not be spread if its register has an enable of its own"
            )
        self._depth = depth
        self._width = width
        self._name = name
        self._init = init
        self._spread = spread
        self._own_enable = register_enable
        self._marks = NEVER | (LUT_RAM if lut_ram else {})
        self._in_cells = target == "ecp5" and not lut_ram and fits_blocks(depth, width)
        super().__init__(
            {
                "write_enable": In(1),
                "write_address": In(range(depth)),
                "data": In(width),
                "enable": In(1),
                "address": In(range(depth)),
                "word": Out(width),
            }
            | ({"register_enable": In(1)} if register_enable else {})
        )

    def elaborate(self, platform):
        m = Module()
        if platform == "verilog" and self._in_cells:
            kind = "spread_memory" if self._spread else "memory"
            kind = "queue_memory" if self._own_enable else kind
            kind, more = f"ecp5_{kind}_{self._depth}x{self._width}", {}
            if any(self._init):
                kind += f"_of_{self._name}"
                words = "".join(f"{word:0{self._width}b}" for word in reversed(self._init))
                more["p_CONTENTS"] = Const(int(words, 2), self._depth * self._width)
            if self._own_enable:
                more["i_OE"] = self.register_enable
            m.submodules[self._name] = Instance(
                kind,
                **more,
                i_CLK=ClockSignal(),
                i_WE=self.write_enable,
                i_WA=self.write_address,
                i_D=self.data,
                i_RE=self.enable,
                i_RA=self.address,
                o_Q=self.word,
            )
            return m
        mem = memory.Memory(
            shape=self._width, depth=self._depth, init=self._init, attrs=self._marks
        )
        m.submodules[self._name] = mem
        write, read = mem.write_port(), mem.read_port()
        word = Signal(self._width, reset_less=True)
        with m.If(self.register_enable if self._own_enable else read.en):
            m.d.sync += word.eq(read.data)
        domain = m.d.sync if self._spread else m.d.comb
        ways = (
            (write.en, self.write_enable), (write.addr, self.write_address),
            (write.data, self.data), (read.en, self.enable), (read.addr, self.address),
        )  # fmt: skip
        for near, outer in ways:
            domain += near.eq(outer)
        m.d.comb += self.word.eq(word)
        return m
