"""A component becomes one self-contained Verilog-2001 file.

Yosys writes the Verilog from Amaranth's RTLIL.  Its combinational logic is then made of
``assign``, which has a value at time zero in every simulator; the ``always @*`` blocks of
Amaranth's own Verilog writer stay unknown in Icarus until an input changes.
"""

import gc
import re
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import FxhwError
from ..gateware.memory_marks import MARKS
from ..gateware.primitives import contents_of, verilog_of
from .names import is_name
from .rtlil import (
    MemoryInit,
    extract_memory_inits,
    extract_primitive_contents,
    find_memories,
    rename_modules,
    rename_primitives,
)
from .yosys import run_yosys

__all__ = ["Emitted", "emit_verilog"]

_SCRIPT = """\
{primitives}read_rtlil design.il
hierarchy -check -top {top}
proc
memory_collect
opt_clean -purge
check -assert
write_verilog -noattr design.v
"""

_READ_PRIMITIVES = "read_verilog -lib primitives.v\n"

_LINT = """\
// Modules of one design stand in one file:
/* verilator lint_off DECLFILENAME */
// Carries and other bits of intermediate results that nothing needs:
/* verilator lint_off UNUSEDSIGNAL */
// Operands keep their own widths; the language extends them with zeros, as is meant:
/* verilator lint_off WIDTHEXPAND */
// Logical not of a number asks whether it is zero:
/* verilator lint_off WIDTHTRUNC */
// Selects whose inputs never coincide are written as casez:
/* verilator lint_off CASEOVERLAP */
// Registers have an initial value beside their reset, for FPGAs that load one:
/* verilator lint_off PROCASSINIT */
"""


@dataclass(frozen=True)
class Emitted:
    """The files of one design.

    Parameters
    ----------
    top : name of the top module; every other module's name starts with it.
    verilog : the Verilog text.
    memories : file name -> contents, of the memories that do not start empty; the Verilog reads
        them by ``$readmemh`` from the working directory.  Those of memory cells stand in a file
        more, ``.vh``, which it includes for synthesis.
    """

    top: str
    verilog: str
    memories: dict[str, str]


def emit_verilog(component, top: str, header: str = "") -> Emitted:
    """Verilog of an Amaranth ``component``.  Equal components give equal text.

    Parameters
    ----------
    top : name of the top module, a plain Verilog identifier.
    header : lines of text put in a comment at the top of the file.

    Raises
    ------
    FxhwError if ``top`` is not an identifier or Yosys refuses the design.
    """
    from amaranth.back import rtlil
    from amaranth.hdl import UnusedElaboratable

    if not is_name(top):
        raise FxhwError(
            f"The top module cannot be called {top!r}; a name is made of letters, digits and _, "
            "and is no Verilog keyword"
        )
    with warnings.catch_warnings(), _collector_paused():
        # A submodule that a parameter makes superfluous is no mistake.
        warnings.simplefilter("ignore", UnusedElaboratable)
        text = rtlil.convert(component, name=top, platform="verilog", emit_src=False)
    text, words = extract_primitive_contents(text)
    text, primitives = rename_primitives(rename_modules(text), top)
    text, inits = extract_memory_inits(text)
    contents = {}
    for kind, value in words.items():
        contents |= contents_of(kind, value)
    library = "".join(verilog_of(kind, name) for kind, name in primitives.items())
    with tempfile.TemporaryDirectory(prefix="fxhw-") as folder:
        (Path(folder) / "design.il").write_text(text, encoding="utf-8")
        for name, lines in {"primitives.v": library, **contents}.items():
            (Path(folder) / name).write_text(lines, encoding="utf-8")
        script = _SCRIPT.format(top=top, primitives=_READ_PRIMITIVES if library else "")
        run_yosys(script, folder)
        verilog = (Path(folder) / "design.v").read_text(encoding="utf-8")
    names = _file_names(inits)
    verilog = verilog.partition("*/\n")[2].lstrip("\n")  # the writer's own title line
    for init, name in zip(inits, names):
        verilog = _insert_readmem(verilog, init, name)
    for attribute, mark in MARKS.items():
        for module, memory in find_memories(text, attribute):
            verilog = _mark_memory(verilog, module, memory, mark)
    comment = "".join(f"// {line}".rstrip() + "\n" for line in header.splitlines())
    memories = {name: init.to_hex() for init, name in zip(inits, names)} | contents
    return Emitted(top, f"{comment}\n{_LINT}\n{verilog}{library}", memories)


@contextmanager
def _collector_paused():
    """Without the garbage collector: what a netlist is made of lives until it is written, and
    looking through it again and again is two fifths of the time that generating takes."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _file_names(inits: list[MemoryInit]) -> list[str]:
    """``<memory>.mem``, or ``<module>_<memory>.mem`` where that is not unique."""
    memories = [init.memory for init in inits]
    return [
        f"{init.memory}.mem"
        if memories.count(init.memory) == 1
        else f"{init.module}_{init.memory}.mem"
        for init in inits
    ]


def _insert_readmem(verilog: str, init: MemoryInit, name: str) -> str:
    """``verilog`` with the memory's contents read from file ``name``."""
    found = _find_declaration(verilog, init.module, init.memory)
    line = f'  initial $readmemh("{name}", {found[1]});\n'
    return verilog[: found.end()] + line + verilog[found.end() :]


def _mark_memory(verilog: str, module: str, memory: str, mark: str) -> str:
    """``verilog`` with ``mark`` before the memory's declaration."""
    start = _find_declaration(verilog, module, memory).start()
    return f"{verilog[:start]}  {mark}\n{verilog[start:]}"


def _find_declaration(verilog: str, module: str, memory: str) -> re.Match:
    """Where ``module`` declares ``memory``; its group 1 is the name as written there."""
    start = re.search(rf"^module {re.escape(module)} ?\(", verilog, re.M)
    # A name that is a keyword is escaped: a backslash before it, a space after it.
    name = re.escape(memory)
    declaration = rf"^  reg (?:\[\d+:0\] )?(\\{name} |{name}) \[\d+:0\];\n"
    found = start and re.compile(declaration, re.M).search(verilog, start.end())
    if not found:
        raise FxhwError(f"Memory {memory} of module {module} got lost in Yosys")
    return found
