"""Memories declared never to be read and written at one address in one cycle: what if they are?

The Verilog keeps the old word there and so hides what block RAM may do.  Here it gives the old
word inverted, and every code must still be right.
"""

import re

import pytest

from fxhw.cosim import run_jobs
from fxhw.gateware.memory_marks import ATTRIBUTE

from . import designs
from .designs import Case, check_case

MARKED = re.compile(rf"^  \(\* {ATTRIBUTE}\b.*\*\)\n  reg (?:\[\d+:0\] )?(\w+) \[\d+:0\];\n", re.M)


def invert_collisions(verilog, anywhere=False):
    """``verilog`` with the old word inverted where a marked memory is read and written at once.

    ``anywhere`` inverts all that is read while the memory is written.
    """
    found = list(MARKED.finditer(verilog))
    for match in reversed(found):
        end, name = match.end(), match[1]
        module, rest = verilog[end:].split("\nendmodule", 1)
        write = re.search(rf"    if \((.*)\)\n +{name}\[(.*)\] <= ", module)
        assert write, name
        where = r"\3" if anywhere else write[2].replace("\\", r"\\")
        enable = write[1].replace("\\", r"\\")
        module, count = re.subn(
            rf"^( +\w+ <= )({name}\[(.*)\]);$",
            rf"\1({enable}) && ({where}) == (\3) ? ~\2 : \2;",
            module,
            flags=re.M,
        )
        assert count, name
        verilog = verilog[:end] + module + "\nendmodule" + rest
    return verilog, len(found)


def patched(monkeypatch, **options):
    """Let accelerators be changed between their generation and their simulation."""
    counts = []

    def run(folder, jobs, **others):
        path = next(folder.glob("*.v"))
        text, count = invert_collisions(path.read_text(), **options)
        path.write_text(text)
        counts.append(count)
        return run_jobs(folder, jobs, **others)

    monkeypatch.setattr(designs, "run_jobs", run)
    return counts


WIDTHS = {"wbits": 4, "abits": 6}


@pytest.mark.cosim
@pytest.mark.parametrize(
    "case",
    [
        Case(0, (3, 5), (9, 8), WIDTHS, bus_bits=32, weight_words=12, others=(((2,), (5, 7)),)),
        pytest.param(
            Case(1, (5, 3, 4), (11, 10), WIDTHS, stalls=False, style="lut", target="ecp5"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["tiles", "lut"],
)
def test_reads_and_writes_never_meet_where_that_is_said(case, tmp_path, monkeypatch):
    counts = patched(monkeypatch)
    check_case(case, tmp_path)
    assert counts[0] >= 4


@pytest.mark.cosim
def test_wrong_words_are_seen(tmp_path, monkeypatch):
    patched(monkeypatch, anywhere=True)
    with pytest.raises(AssertionError):
        check_case(Case(0, (3,), (6, 8), WIDTHS), tmp_path)
