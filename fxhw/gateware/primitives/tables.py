"""Verilog of truth tables, one for every bit of a word, that parameters hold."""

__all__ = ["table_verilog"]


def table_verilog(parameter: str, rows: int, size: int, ports: str) -> tuple[str, str]:
    """Declarations, and an expression of the tables' outputs.

    Where the last input makes no difference it may be unknown, as memories are to begin with.

    Parameters
    ----------
    parameter : name of the parameter, whose bit ``rows * n + k`` is table n's output where the
        inputs are k.
    rows : length of a table, a power of two.
    size : bits of the words, and tables.
    ports : one-letter names of the words that are the inputs, lowest first.
    """
    row = f"row_{parameter.lower()}"
    text = f"""\
  function [{size - 1}:0] {row}(input integer k);
    integer n;
    for (n = 0; n < {size}; n = n + 1) {row}[n] = {parameter}[{rows} * n + k];
  endfunction
"""
    for k in range(rows):
        text += f"  localparam [{size - 1}:0] {parameter}_{k} = {row}({k});\n"

    def table(first, count):
        if count == 1:
            return f"{parameter}_{first}"
        half = count // 2
        port = ports[half.bit_length() - 1]
        return f"({table(first, half)} & ~{port} | {table(first + half, half)} & {port})"

    if rows <= 4:
        return text, table(0, rows)
    name, port = parameter.lower(), ports[rows.bit_length() - 2]
    for part, first in (("low", 0), ("high", rows // 2)):
        text += f"  wire [{size - 1}:0] {name}_{part} = {table(first, rows // 2)};\n"
    # What plays no part may be unknown: the last term keeps the output known all the same.
    return text, f"({name}_low & ~{port} | {name}_high & {port} | {name}_low & {name}_high)"
