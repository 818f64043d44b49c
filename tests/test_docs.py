"""The documents say what the code does."""

import re
from pathlib import Path

import pytest

from fxhw.cli import COMMANDS
from fxhw.emit.documents import registers_page
from fxhw.plan.program import FIELDS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


REGISTERS = {
    "docs/registers.md": registers_page("the accelerator"),
    "docs/registers-external.md": registers_page(
        "the accelerator with external memory", memory="axi"
    ),
}


@pytest.mark.parametrize("name", REGISTERS)
def test_registers(name):
    """Renew them with: python -m tests.test_docs."""
    assert (ROOT / name).read_text() == REGISTERS[name]


def test_program_format_lists_every_field():
    page = (ROOT / "docs/program.md").read_text()
    names = {name for name, _ in FIELDS if not name.startswith("reserved")}
    assert names <= set(re.findall(r"\w+", page))


def test_readme_shows_every_command():
    page = (ROOT / "README.md").read_text()
    for name in COMMANDS:
        assert f"`fxhw {name} " in page


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_make_targets_exist(page):
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z][a-z-]*)\b(?=[`\s]*(?:#|`|\|))", page.read_text()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


if __name__ == "__main__":
    for name, text in REGISTERS.items():
        (ROOT / name).write_text(text)
