"""Descriptor check: whether a step can be run at all, and what it needs, before it is started."""

from amaranth.hdl import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from ..plan.preparation import (
    HALF_BITS,
    SUM_BITS,
    CarryIn,
    Condition,
    Scratch,
    When,
    preparation,
)
from ..plan.program import CHECK, DESCRIPTOR_WORDS, MAGIC, Kernel, Kind
from ..plan.registers import ErrorCode
from .descriptor import LayerConfig, StepFlags, field_bits
from .operation_table import OperationTable
from .parameter_loader import most_words

__all__ = ["DescriptorCheck"]

_FORMAT_WORD = 13
"""Word of a descriptor that tells the widths."""

_ACCUMULATED = ("row_words", "groups_in", "columns")
"""Outputs that are sums."""


class DescriptorCheck(wiring.Component):
    """Runs the operations of :mod:`fxhw.plan.preparation` over one descriptor.

    ::

        beats -> descriptor memory -> operand -+-> step's fields
                         ^                     +
                         |     constant or accumulator -> accumulator -> zero? carry? -> error
                         +--------------------------------------+

    An operation is looked up, unpacked, and its operand read, while those before it add; what its
    sum tells follows two cycles later.

    *Latency*: three cycles from the last beat to the first operation, two from the last operation
    to ``done``.

    Parameters
    ----------
    design : the maxima.

    Members
    -------
    valid, data : a beat of the descriptor.
    stop : ends a check; held for a cycle or longer before the first beat and after ``done``.
    place : its place in the program, see :func:`.preparation.next_place`.
    load, section, last_word : a section of parameters is to be loaded, until ``loaded``.
    load_address : beat of the first one.
    kind, flags : what the descriptor is.
    step : the step's fields, once done, but for flags and bank; bits that a good step cannot have
        are 0.
    done : pulse: the check has ended well.
    error : an :class:`~fxhw.plan.registers.ErrorCode`, for a cycle.
    """

    def __init__(self, design: Design):
        self._design = design
        self._bits = field_bits(design)
        super().__init__(
            {
                "valid": In(1),
                "data": In(design.bus_bits),
                "stop": In(1),
                "place": In(2),
                "load": Out(1),
                "section": Out(1),
                "last_word": Out(range(most_words(design))),
                "loaded": In(1),
                "load_address": Out(self._bits["load_address"]),
                "kind": Out(2),
                "flags": Out(StepFlags),
                "step": Out(LayerConfig),
                "done": Out(1),
                "error": Out(4),
            }
        )

    def elaborate(self, platform):
        m = Module()
        design = self._design
        table = OperationTable(preparation(design), design.bus_bits)
        targets = self._targets()
        outputs = [name for name in table.outputs if name in targets]
        looked_up, operation = Signal(table.packed), Signal(table.layout)
        active, hold = Signal(), Signal()
        number = Signal(range(len(table.entries)))
        last_beat = self._take_beats(m)
        # Until it is stopped: past the last operation there is nothing to do.
        with m.If(self.stop):
            m.d.sync += active.eq(0)
        with m.Elif(last_beat):
            m.d.sync += active.eq(1)
        with m.If(~active):
            m.d.sync += [number.eq(0), looked_up.eq(0), operation.eq(0)]
        with m.Elif(~hold):
            m.d.sync += [
                # No adder: its carry cells would pass the number on to the table.
                *(bit.eq(bit ^ Cat(1, number[:n]).all()) for n, bit in enumerate(number)),
                looked_up.eq(table.look_up(m, number)),
                operation.eq(table.unpack(m, looked_up)),
            ]

        # The descriptor, and behind it what is kept from one to the next.
        accumulator = Signal(SUM_BITS)
        operand = Signal(HALF_BITS)
        applies = Signal()
        conditions = self._conditions(m)
        m.d.comb += applies.eq(conditions.bit_select(operation.when, 1))
        word = self._descriptor_memory(m, operation, accumulator, conditions)
        with m.If(~hold):
            m.d.sync += operand.eq(Mux(operation.no_operand, 0, word))

        carry, carry_in = Signal(), Signal()
        with m.Switch(operation.carry):
            with m.Case(CarryIn.ONE):
                m.d.comb += carry_in.eq(1)
            with m.Case(CarryIn.CARRY):
                m.d.comb += carry_in.eq(carry)
            with m.Case(CarryIn.ODD):
                m.d.comb += carry_in.eq(operand[0])
            if design.external:
                with m.Case(CarryIn.LEFT):
                    m.d.comb += carry_in.eq(~self.flags.trim_left)
                with m.Case(CarryIn.RIGHT):
                    m.d.comb += carry_in.eq(~self.flags.trim_right)
        other = Mux(
            operation.accumulate, accumulator ^ operation.invert.replicate(SUM_BITS),
            operation.constant,
        )  # fmt: skip
        # The carry comes in as the carry of a bit below.
        load = operation.load & ~self.flags.keep if design.external else operation.load
        with m.If(~load):
            total = Cat(1, operand) + Cat(carry_in, other)
            m.d.sync += Cat(accumulator, carry).eq(total[1:])

        count = Signal(max(self._bits["groups_in"], self._bits["groups_out"]))
        with m.If(operation.count):
            m.d.sync += count.eq(accumulator)
        with m.Else():
            m.d.sync += count.eq(count - 1)
        m.d.comb += [
            self.load.eq(load),
            self.section.eq(operation.section),
            self.last_word.eq(accumulator),
            hold.eq((operation.repeat & count[1:].any()) | (load & ~self.loaded)),
        ]
        for name in outputs:
            source = accumulator if name in _ACCUMULATED else operand
            with m.If(operation.outputs[table.outputs.index(name)]):
                m.d.sync += targets[name].eq(source)
        self._judge(m, active, operation, applies, accumulator, carry)
        return m

    def _judge(self, m, active, operation, applies, accumulator, carry):
        """What an operation's sum tells: a cycle for the sum itself, one to see if it is zero."""
        judged = [
            Signal(data.StructLayout({"applies": 1, "fails": 2, "code": 4, "end": 1}), name=name)
            for name in ("summed", "judged")
        ]
        zero, carried = Signal(), Signal()
        m.d.sync += [
            judged[0].applies.eq(applies),
            judged[0].fails.eq(operation.fails),
            judged[0].code.eq(
                Mux(operation.code == ErrorCode.NONE, self._header_error(m), operation.code)
            ),
            judged[0].end.eq(operation.end),
            judged[1].eq(judged[0]),
            zero.eq(accumulator == 0),
            carried.eq(carry),
        ]
        with m.If(~active):
            m.d.sync += [one.eq(0) for one in judged]
        last = judged[1]
        wrong = Signal()
        with m.Switch(last.fails):
            with m.Case(Condition.ANY):
                m.d.comb += wrong.eq(1)
            with m.Case(Condition.CARRY):
                m.d.comb += wrong.eq(carried)
            with m.Case(Condition.ZERO):
                m.d.comb += wrong.eq(zero)
            with m.Case(Condition.NONZERO):
                m.d.comb += wrong.eq(~zero)
        with m.If(active & last.applies & wrong):
            m.d.comb += self.error.eq(last.code)
        m.d.comb += self.done.eq(last.end)

    def _take_beats(self, m):
        """Note what the beats tell in passing; returns whether the last one passes."""
        design = self._design
        beats = 32 * DESCRIPTOR_WORDS // design.bus_bits
        per_beat = design.bus_bits // 32
        self._row = row = Signal(range(beats))
        self._checksum = checksum = Signal(32, init=CHECK)
        self._wrong = wrong = Signal(
            data.StructLayout({"magic": 1, "kind": 1, "kernel": 1, "format": 1})
        )
        with m.If(self.stop):
            m.d.sync += [row.eq(0), checksum.eq(CHECK)]
        with m.Elif(self.valid):
            m.d.sync += row.eq(row + 1)
            for word in range(per_beat):
                checksum = checksum ^ self.data.word_select(word, 32)
            m.d.sync += self._checksum.eq(checksum)
        kernel = Kernel.CONV3X3_MULTIPLIER if design.mul_bits else Kernel.CONV3X3
        with m.If(self.valid & (row == 0)):
            first = self.data[:32]
            kind = first[8:12]
            m.d.sync += [
                self.kind.eq(kind),
                self.flags.eq(first[16:]),
                wrong.magic.eq(first[:8] != MAGIC),
                wrong.kind.eq((kind == 0) | (kind > max(Kind))),
                wrong.kernel.eq(first[12:16] != kernel),
            ]
        with m.If(self.valid & (row == _FORMAT_WORD // per_beat)):
            word = self.data.word_select(_FORMAT_WORD % per_beat, 32)
            wanted = design.weight_field | design.activation_field << 8 | design.mul_bits << 16
            bits = 24 if design.mul_bits else 16
            m.d.sync += wrong.format.eq(word[:bits] != wanted)
        return self.valid & (row == beats - 1)

    def _header_error(self, m):
        """What first word, widths and checksum tell, in time for the first operation."""
        flags, wrong = self.flags, self._wrong
        front, head, conv = (self.kind == kind for kind in Kind)
        stores = flags.store_full | flags.store_pool
        again = front & (self.place == 3) if self._design.external else 0
        found = {
            ErrorCode.CHECKSUM: wrong.magic | self._checksum.any(),
            ErrorCode.KIND: wrong.kind | wrong.kernel | (conv & ~stores & ~flags.to_head),
            ErrorCode.ORDER: (front != ((self.place == 0) | again))
            | (flags.keep != again if self._design.external else 0)
            | (head != (self.place == 1))
            | (conv & (flags.from_front != (self.place == 2)))
            | (flags.last & ~flags.to_head)
            | (flags.to_head & ~(conv if self._design.external else flags.last))
            | (~conv & flags.last),
            ErrorCode.FORMAT: wrong.format,
        }
        error = Signal(ErrorCode)
        first = Signal.like(error)
        for code, holds in reversed(found.items()):
            noted = Signal(name=f"wrong_{code.name.lower()}")
            m.d.sync += noted.eq(holds)
            with m.If(noted):
                m.d.comb += first.eq(code)
        m.d.sync += error.eq(first)
        return error

    def _conditions(self, m):
        """Whether each :class:`When` holds, as bits."""
        flags = self.flags
        front, head, conv = (self.kind == kind for kind in Kind)
        stores = flags.store_full | flags.store_pool
        holds = {
            When.ALWAYS: 1,
            When.HEADER: 1,
            When.FRONT: front,
            When.HEAD: head,
            When.CONV: conv,
            When.NOT_HEAD: ~head,
            When.FROM_FRONT: flags.from_front,
            When.TO_HEAD: flags.to_head,
            When.MEETS: flags.from_front | flags.to_head,
            When.STORES: stores,
            When.CONV_STORES: conv & stores,
            When.CONV_POOLS: conv & flags.store_pool,
        }
        bits = Signal(len(When))
        m.d.sync += [bits[when].eq(held) for when, held in holds.items()]
        return bits

    def _descriptor_memory(self, m, operation, accumulator, conditions):
        """The half word that an operation's address names; the first column has the scratch."""
        beats = 32 * DESCRIPTOR_WORDS // self._design.bus_bits
        words = []
        for column in range(self._design.bus_bits // HALF_BITS):
            depth = beats + (len(Scratch) if column == 0 else 0)
            mem = memory.Memory(shape=HALF_BITS, depth=depth, init=[])
            m.submodules[f"column_{column}"] = mem
            write, read = mem.write_port(), mem.read_port(domain="comb")
            m.d.comb += [
                read.addr.eq(operation.row),
                write.en.eq(self.valid),
                write.addr.eq(self._row),
                write.data.eq(self.data.word_select(column, HALF_BITS)),
            ]
            if column == 0:
                with m.If(operation.store):
                    m.d.comb += [
                        write.addr.eq(beats + operation.place),
                        write.data.eq(accumulator),
                    ]
                    with m.Switch(operation.place):
                        for place in Scratch:
                            with m.Case(place):
                                m.d.comb += write.en.eq(conditions[place.when])
            words.append(read.data)
        return Cat(words).word_select(operation.column, HALF_BITS)

    def _targets(self):
        """The bits that each output of an operation goes to."""
        step, bits = self.step, self._bits
        whole = {
            **{name: step.conv[name] for name in ("width", "height", "groups_in", "groups_out")},
            "row_words": step.conv.row_words,
            "words_out": step.words_out,
            "pixel_stride": step.pixel_stride,
            "full_base": step.full_base,
            "pool_base": step.pool_base,
            "load_address": self.load_address,
        }
        if self._design.external:
            low = (self._design.packed.bus_bytes - 1).bit_length()
            whole["full_row_stride"] = step.full_row_stride
            whole["pool_row_beats"] = step.pool_row_stride[low:]
            whole["columns"] = step.columns
        for which in "ab":
            for name in ("base", "row_stride", "groups"):
                whole[f"{name}_{which}"] = step[which][name]
        targets = {}
        for name, target in whole.items():
            targets[name] = target[: min(HALF_BITS, bits[name])]
            if bits[name] > HALF_BITS:
                targets[f"{name}.high"] = target[HALF_BITS : bits[name]]
        return targets
