"""Edits to RTLIL text."""

import pytest

from fxhw.emit.rtlil import extract_memory_inits, rename_modules
from fxhw.errors import FxhwError

TEXT = """\
module \\top
  memory width 4 size 3 \\table
  cell \\top.part \\one
    connect \\a \\b
  end
  cell $meminit_v2 $1
    parameter \\MEMID "\\\\table"
    parameter \\ABITS 0
    parameter \\WIDTH 4
    parameter \\WORDS 3
    parameter \\PRIORITY 0
    connect \\ADDR {  }
    connect \\DATA 12'101000000011
    connect \\EN 4'1111
  end
end
module \\top.part
end
"""


def test_modules_get_plain_names_that_start_with_the_top():
    text = rename_modules(TEXT)
    assert "module \\top\n" in text
    assert "module \\top_part\n" in text
    assert "cell \\top_part \\one\n" in text
    assert "cell $meminit_v2 $1\n" in text


def test_two_modules_of_one_name_are_refused():
    with pytest.raises(FxhwError, match=r"top\.a\.b and top\.a_b would both be called top_a_b"):
        rename_modules("module \\top.a.b\nend\nmodule \\top.a_b\nend\n")


def test_memory_contents_are_taken_out():
    text, (init,) = extract_memory_inits(TEXT)
    assert "$meminit" not in text
    assert text.count("end\n") == TEXT.count("end\n") - 1
    assert (init.module, init.memory, init.width) == ("top", "table", 4)
    assert init.words == (3, 0, 10)
    assert init.to_hex() == "3\n0\na\n"


def test_zeros_are_no_contents():
    text, inits = extract_memory_inits(TEXT.replace("101000000011", "000000000000"))
    assert inits == []
    assert "$meminit" not in text
