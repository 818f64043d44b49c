"""Descriptor check: whether a step can be run at all, before anything is started."""

from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..plan.design import Design
from ..plan.program import CHECK, DESCRIPTOR_WORDS, MAGIC, Kernel, Kind
from ..plan.registers import ErrorCode
from .conv_engine import ConvConfig
from .descriptor import DESCRIPTOR

__all__ = ["DescriptorCheck"]


class DescriptorCheck(wiring.Component):
    """Checks one descriptor against the design and against those before it.

    The products (words of a row, weight words, words of a pooled row) are summed up, a group per
    cycle, so that no multiplier is spent on them.

    *Latency*: 4 cycles and one more per input or output group, whichever are more.

    Parameters
    ----------
    design : the maxima.

    Members
    -------
    start : pulse that begins a check.
    descriptor : the descriptor; stable until done.
    index : its place in the program.
    front : the FRONT step that went before (width, height, groups).
    head_groups : groups of the HEAD step that went before.
    row_words : words of an input row, once done.
    done : pulse: the check has ended.
    error : an :class:`~fxhw.plan.registers.ErrorCode`, with ``done``.
    """

    def __init__(self, design: Design):
        self._design = design
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(DESCRIPTOR),
                "index": In(16),
                "front": In(ConvConfig),
                "head_groups": In(16),
                "row_words": Out(16),
                "done": Out(1),
                "error": Out(8),
            }
        )

    def elaborate(self, platform):
        m = Module()
        descriptor, design = self.descriptor, self._design
        groups_in = Signal(17)
        half_width = Signal(16)
        m.d.comb += [
            groups_in.eq(descriptor.groups_a + descriptor.groups_b),
            half_width.eq((descriptor.width + 1)[1:]),
        ]
        # The products, one group at a time; 32 bits hold the largest of each.
        group = Signal(17)
        row, weights, pooled = Signal(32), Signal(32), Signal(32)
        with m.FSM():
            with m.State("Idle"):
                m.d.sync += [group.eq(0), row.eq(0), weights.eq(0), pooled.eq(0)]
                with m.If(self.start):
                    m.next = "Fields"
            with m.State("Fields"):
                self._finish_with(m, self._field_errors(groups_in))
                with m.If(~self.done):
                    m.next = "Products"
            with m.State("Products"):
                m.d.sync += group.eq(group + 1)
                with m.If(group < groups_in):
                    m.d.sync += [
                        row.eq(row + descriptor.width),
                        weights.eq(weights + descriptor.groups_out),
                    ]
                with m.If(group < descriptor.groups_out):
                    m.d.sync += pooled.eq(pooled + half_width)
                with m.If((group >= groups_in) & (group >= descriptor.groups_out)):
                    m.next = "Compare"
            with m.State("Compare"):
                self._finish_with(m, self._product_errors(design, row, weights, pooled))
                m.d.comb += self.done.eq(1)
                m.d.sync += self.row_words.eq(row)
                m.next = "Idle"
        return m

    def _finish_with(self, m, errors):
        """Report the first of ``errors`` that holds."""
        for position, (condition, code) in enumerate(errors):
            with (m.If if position == 0 else m.Elif)(condition):
                m.d.comb += [self.done.eq(1), self.error.eq(code)]
                m.next = "Idle"

    def _field_errors(self, groups_in):
        """(condition, code) in order, for everything a field alone tells."""
        d, design, front = self.descriptor, self._design, self.front
        words = d.as_value()
        check = Const(CHECK, 32)
        for word in range(DESCRIPTOR_WORDS):
            check = check ^ words.word_select(word, 32)
        is_front, is_head = d.kind == Kind.FRONT, d.kind == Kind.HEAD
        is_conv = d.kind == Kind.CONV
        kernel = Kernel.CONV3X3_MULTIPLIER if design.mul_bits else Kernel.CONV3X3
        other_width = (d.weight_bits != design.weight_field) | (
            d.activation_bits != design.activation_field
        )
        if design.mul_bits:
            other_width |= d.multiplier_bits != design.mul_bits
        stores = d.store_full | d.store_pool
        outside = (
            (d.base_a >= design.feature_words)
            | (d.row_stride_a > design.feature_words)
            | (d.base_b >= design.feature_words)
            | (d.row_stride_b > design.feature_words)
            | (d.full_base >= design.feature_words)
            | (d.pool_base >= design.feature_words)
            | (d.pixel_stride > design.feature_words)
        )
        max_in = Mux(is_front, design.image_channels, Mux(is_head, design.head_groups, 0))
        max_out = Mux(is_front, design.front_groups, design.max_groups_out)
        return [
            ((d.magic != MAGIC) | (check != 0), ErrorCode.CHECKSUM),
            (
                ~(is_front | is_head | is_conv)
                | (d.kernel != kernel)
                | (is_conv & ~stores & ~d.to_head),
                ErrorCode.KIND,
            ),
            (
                (is_front != (self.index == 0))
                | (is_head != (self.index == 1))
                | (is_conv & (d.from_front != (self.index == 2)))
                | (d.to_head != d.last)
                | (~is_conv & d.last),
                ErrorCode.ORDER,
            ),
            (other_width, ErrorCode.FORMAT),
            (
                (d.width == 0)
                | (d.height == 0)
                | (d.groups_a == 0)
                | (~is_head & (d.groups_out == 0))
                | (stores & (d.words_out == 0))
                | (is_conv & (d.requantize_words != d.groups_out))
                | (is_head & ((d.weight_words != d.groups_a) | (d.requantize_words != 1)))
                | (is_front & (d.requantize_words != d.groups_out))
                | (
                    (d.from_front | d.to_head)
                    & ((d.width != front.width) | (d.height != front.height))
                )
                | (d.from_front & ((d.groups_a != front.groups_out) | (d.groups_b != 0)))
                | (d.to_head & (d.groups_out != self.head_groups)),
                ErrorCode.SHAPE,
            ),
            (
                (d.width > design.max_width)
                | (d.height > design.max_height)
                | (groups_in > Mux(is_conv, design.max_groups_in, max_in))
                | (~is_head & (d.groups_out > max_out)),
                ErrorCode.CAPACITY,
            ),
            (is_conv & outside, ErrorCode.FEATURE_ADDRESS),
            (d.load_address >= design.parameter_beats, ErrorCode.PARAMETER_ADDRESS),
        ]

    def _product_errors(self, design, row, weights, pooled):
        """(condition, code) in order, for what the products tell."""
        d = self.descriptor
        is_head = d.kind == Kind.HEAD
        is_conv = d.kind == Kind.CONV
        # Some number of channels must fill both the array's groups and the memory's words.
        made, stored = d.groups_out * design.pout, d.words_out * design.pin
        contradict = (stored + design.pout <= made) | (made + design.pin <= stored)
        return [
            (~is_head & (weights != d.weight_words), ErrorCode.SHAPE),
            (is_conv & (d.store_full | d.store_pool) & contradict, ErrorCode.SHAPE),
            (
                is_conv
                & (
                    (row > design.row_words)
                    | (weights > design.weight_words)
                    | (d.store_pool & (pooled > design.pool_words))
                ),
                ErrorCode.CAPACITY,
            ),
        ]
