"""Verilog of truth tables, one for every bit of a word, that parameters hold."""

__all__ = ["table_verilog"]


def table_verilog(parameter: str, rows: int, size: int, ports: str) -> tuple[str, str]:
    """Declarations, and an expression of the tables' outputs.

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

    return text, table(0, rows)
