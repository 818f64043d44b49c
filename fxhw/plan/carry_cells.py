"""What the carry cells of an FPGA family can add, as far as a plan depends on it."""

from dataclasses import dataclass

from .bit_heap import HeapPlan, Term

__all__ = ["CELLS", "CarryCells", "share_tables"]

_AND, _XNOR = 0b1000, 0b1001


@dataclass(frozen=True)
class CarryCells:
    """Carry cells and the look-up tables beside them.

    Parameters
    ----------
    operands : terms that a cell adds beside the carry, two or three.
    inputs : inputs that these terms may have in all.
    tables : truth tables of two inputs that a cell can form of one of its terms; None for all.
    shared_inputs : inputs that two functions in one look-up table may have in all; 0 if a
        look-up table has one output.
    free_ends : whether a carry comes in and leaves without a cell of its own.
    """

    operands: int
    inputs: int
    tables: frozenset[int] | None = None
    shared_inputs: int = 0
    free_ends: bool = False

    def forms(self, term: Term) -> bool:
        """Whether ``term``, of two inputs, can be formed in the cell that adds it."""
        fits = len(term.inputs) == 2 and self.inputs > self.operands
        return fits and (self.tables is None or term.table in self.tables)

    @property
    def rounds(self) -> tuple[int, ...]:
        """Numbers of levels, worth trying, in which a plain bit takes up a product each."""
        if self.inputs == self.operands:
            return (0,)
        # Three terms leave one, so plain bits get fewer; two leave as many as there were.
        return (0, 1) if self.operands == 3 else (0, 1, 2, 3)

    def cost(self, plan: HeapPlan) -> float:
        """What a plan is chosen by: cells, levels, and flip-flops beyond those beside the cells."""
        cells = self.count(plan)
        # What is shared is made for one sum out of several.
        shared = self.count(plan.shared) / 8 if plan.shared else 0
        return cells + shared + 8 * len(plan.levels) + max(0, plan.registers - cells)

    def count(self, plan: HeapPlan) -> int:
        """Look-up tables that ``plan`` takes, the places of carry cells included."""
        total = 0
        for level in plan.levels:
            total += len(share_tables(level.functions, self.shared_inputs))
            for adder in level.adders:
                total += len(adder.terms)
                if not self.free_ends:
                    total += adder.carry_out or adder.carry is not None
        return total


CELLS = {
    "xc7": CarryCells(3, 4, shared_inputs=5, free_ends=True),
    "xcup": CarryCells(3, 4, shared_inputs=5, free_ends=True),
    "gowin": CarryCells(2, 3, frozenset({_AND, _XNOR})),
    "ice40": CarryCells(2, 2),
}
"""Families whose cells do not take two products each, as those of ECP5 do."""


def share_tables(functions, limit: int) -> list[list]:
    """``functions``, (bit, term), one or two to a look-up table of ``limit`` inputs in all."""
    tables, waiting = [], []
    for function in functions:
        inputs = set(function[1].inputs)
        # Those that share inputs are made one after the other.
        for index in reversed(range(len(waiting) if limit else 0)):
            if len(inputs | set(waiting[index][1].inputs)) <= limit:
                tables.append([waiting.pop(index), function])
                break
        else:
            waiting.append(function)
    return tables + [[function] for function in waiting]
