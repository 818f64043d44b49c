"""Edits to RTLIL text before Yosys reads it: clean module names, memory contents taken out.

Amaranth writes one construct per line, so lines and cells are all the syntax needed here.
"""

import re
from dataclasses import dataclass

from ..errors import FxhwError

__all__ = [
    "MemoryInit",
    "extract_memory_inits",
    "extract_primitive_contents",
    "find_memories",
    "rename_modules",
    "rename_primitives",
]

_CELL = re.compile(r"^  cell (\S+) (\S+)$")
_INSTANCE = re.compile(r"^  cell (\\\S+) ", re.M)
_MODULE = re.compile(r"^module \\(\S+)$")


@dataclass(frozen=True)
class MemoryInit:
    """Initial contents of one memory.

    Parameters
    ----------
    module : module the memory lies in.
    memory : its name there.
    width : bits of a word.
    words : contents, from address 0.
    """

    module: str
    memory: str
    width: int
    words: tuple[int, ...]

    def to_hex(self) -> str:
        """Contents in the format of ``$readmemh``, a word per line."""
        digits = -(-self.width // 4)
        return "".join(f"{word:0{digits}x}\n" for word in self.words)


def rename_modules(text: str) -> str:
    """``text`` with hierarchical module names, ``top.part``, made Verilog names, ``top_part``.

    Raises
    ------
    FxhwError if two modules would get one name.
    """
    names: dict[str, str] = {}
    for line in text.splitlines():
        if found := _MODULE.match(line):
            names[found[1]] = re.sub(r"\W", "_", found[1])
    taken: dict[str, str] = {}
    for old, new in names.items():
        if new in taken:
            raise FxhwError(
                f"Modules {taken[new]} and {old} would both be called {new}; rename a submodule"
            )
        taken[new] = old

    def rename(found):
        return f"{found[1]}\\{names.get(found[2], found[2])}{found[3]}"

    return re.sub(r"^(module |  cell )\\(\S+)(.*)$", rename, text, flags=re.M)


def rename_primitives(text: str, top: str) -> tuple[str, dict[str, str]]:
    """``text`` with the modules that it uses but lacks named after ``top``, and their names.

    Those are the primitives of :mod:`fxhw.gateware.primitives`; returns old name -> new name.
    """
    defined = {found[1] for line in text.splitlines() if (found := _MODULE.match(line))}
    used = {found[1][1:] for found in _INSTANCE.finditer(text)}
    names = {name: f"{top}_{name}" for name in sorted(used - defined)}

    def rename(found):
        return f"  cell \\{names.get(found[1][1:], found[1][1:])} "

    return (_INSTANCE.sub(rename, text) if names else text), names


def extract_memory_inits(text: str) -> tuple[str, list[MemoryInit]]:
    """``text`` without memory contents, and the contents that are not all zero.

    Zeros are no contents: a memory without any is inferred as plain RAM everywhere, and reading
    it before writing it shows as X in a four-state simulator.
    """
    kept, inits, module = [], [], ""
    lines = iter(text.splitlines(keepends=True))
    for line in lines:
        if found := _MODULE.match(line):
            module = found[1]
        found = _CELL.match(line)
        if not found or found[1] != "$meminit_v2":
            kept.append(line)
            continue
        fields = {}
        for field in lines:
            if field.strip() == "end":
                break
            _, name, value = field.split(maxsplit=2)
            fields[name] = value.strip()
        init = _decode(module, fields)
        if any(init.words):
            inits.append(init)
    return "".join(kept), inits


def extract_primitive_contents(text: str) -> tuple[str, dict[str, int]]:
    """``text`` without the parameters CONTENTS of its primitives, and these, primitive -> value.

    Raises
    ------
    FxhwError if two primitives of one name have different contents.
    """
    kept, words, kind = [], {}, ""
    for line in text.splitlines(keepends=True):
        if found := _CELL.match(line.rstrip("\n")):
            kind = found[1][1:]
        if not line.startswith("    parameter \\CONTENTS "):
            kept.append(line)
            continue
        value = int(line.partition("'")[2].strip() or "0", 2)
        if words.setdefault(kind, value) != value:
            raise FxhwError(f"Two memories that start differently are both called {kind}")
    return "".join(kept), words


def find_memories(text: str, attribute: str) -> list[tuple[str, str]]:
    """(module, memory) of every memory that has ``attribute``, in order."""
    found, module, marked = [], "", False
    for line in text.splitlines():
        words = line.split()
        if match := _MODULE.match(line):
            module = match[1]
        elif words[:1] == ["attribute"]:
            marked = marked or words[1] == f"\\{attribute}"
        elif words:
            if marked and words[0] == "memory":
                found.append((module, words[-1].lstrip("\\")))
            marked = False
    return found


def _decode(module: str, fields: dict[str, str]) -> MemoryInit:
    width, count = int(fields["\\WIDTH"]), int(fields["\\WORDS"])
    bits = fields["\\DATA"].partition("'")[2].replace("x", "0").rjust(width * count, "0")
    # The last word stands first.
    words = tuple(
        int(bits[start : start + width], 2) for start in range(len(bits) - width, -1, -width)
    )
    memory = fields["\\MEMID"].strip('"').lstrip("\\")
    return MemoryInit(module, memory, width, words)
