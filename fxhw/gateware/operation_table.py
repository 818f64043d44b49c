"""Operation table: the operations that prepare a step, as gates that look them up."""

from amaranth.hdl import *
from amaranth.lib import data

from ..plan.preparation import HALF_BITS, SUM_BITS, Operation, Scratch, When, half_of
from ..plan.program import DESCRIPTOR_WORDS

__all__ = ["OperationTable"]


class OperationTable:
    """Operations as bits, looked up by their number and unpacked in the cycle after.

    An entry's ``row``, ``column`` and ``no_operand`` are those of the next operation's operand, so
    that it is read while this one adds.  Constants and outputs are numbers while packed: there
    are few of them.  What plays no part is as in the operation before, which makes for simpler
    gates; block RAM would be all but empty.

    Parameters
    ----------
    operations : the operations.
    bus_bits : bits of a beat; a descriptor lies in rows of beats, its half words in columns.

    Attributes
    ----------
    packed, layout : an entry as it is looked up, and unpacked.
    outputs : names of the outputs, in the order of their bits.
    entries : the packed entries, by number.
    """

    def __init__(self, operations: tuple[Operation, ...], bus_bits: int):
        self._columns = bus_bits // HALF_BITS
        self._rows = 32 * DESCRIPTOR_WORDS // bus_bits
        self._constants = sorted({op.constant for op in operations if op.constant is not None})
        self.outputs = list(dict.fromkeys(op.output for op in operations if op.output is not None))
        common = {
            "row": range(self._rows + len(Scratch)),
            "column": range(self._columns),
            "no_operand": 1,
            "accumulate": 1,
            "invert": 1,
            "carry": range(1 + max(op.carry for op in operations)),
            "when": When,
            "fails": 2,
            "code": 4,
            "store": 1,
            "place": range(len(Scratch)),
            "count": 1,
            "repeat": 1,
            "load": 1,
            "section": 1,
            "end": 1,
        }
        self._common = tuple(common)
        self.layout = data.StructLayout(
            {**common, "constant": SUM_BITS, "outputs": len(self.outputs)}
        )
        self.packed = data.StructLayout(
            {
                **common,
                "constant": range(len(self._constants)),
                "output": range(len(self.outputs)),
                "outputs": 1,
            }
        )
        self.entries = self._encode(operations)

    def _encode(self, operations):
        entries = []
        values = {name: 0 for name, _ in self.packed}
        for op, following in zip(operations, [*operations[1:], Operation()]):
            values |= {
                "no_operand": int(following.operand is None),
                "accumulate": int(op.constant is None),
                "carry": op.carry,
                "when": op.when,
                "store": int(op.store is not None),
                "count": int(op.count),
                "repeat": int(op.repeat),
                "load": int(op.load is not None),
                "end": int(op.end),
                "outputs": int(op.output is not None),
            }
            if following.operand is not None:
                values["row"], values["column"] = self._locate(following.operand)
            if op.constant is None:
                values["invert"] = int(op.invert)
            else:
                values["constant"] = self._constants.index(op.constant)
            if op.when is not When.NEVER:
                values |= {"fails": op.fails, "code": op.code}
            if op.store is not None:
                values["place"] = op.store
            if op.load is not None:
                values["section"] = op.load
            if op.output is not None:
                values["output"] = self.outputs.index(op.output)
            entries.append(self.packed.const(values).as_value().value)
        return entries

    def _locate(self, half):
        """Row and column of a half word; the first column has the scratch behind the others."""
        over = half - half_of(Scratch(0))
        return (self._rows + over, 0) if over >= 0 else divmod(half, self._columns)

    def look_up(self, m: Module, number: Signal) -> data.View:
        """The packed entry of a number; past the last one, that of an operation without effect."""
        entry = Signal(self.packed)
        with m.Switch(number):
            for index, value in enumerate(self.entries):
                with m.Case(index):
                    m.d.comb += entry.eq(value)
        return entry

    def unpack(self, m: Module, packed: data.View) -> data.View:
        """The entry that a packed one stands for."""
        entry = Signal(self.layout)
        m.d.comb += [entry[name].eq(packed[name]) for name in self._common]
        with m.Switch(packed.constant):
            for number, constant in enumerate(self._constants):
                with m.Case(number):
                    m.d.comb += entry.constant.eq(constant)
        with m.If(packed.outputs):
            m.d.comb += entry.outputs.eq(1 << packed.output)
        return entry
