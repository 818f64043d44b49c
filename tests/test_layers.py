"""Imports point one way: the order that ``fxhw/__init__.py`` draws, held here."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "fxhw"

BELOW = {
    "errors": "",
    "fixed": "errors",
    "graph": "fixed",
    "checkpoint": "graph",
    "golden": "graph",
    "quantize": "golden checkpoint",
    "exchange": "golden checkpoint",
    "bundled": "errors",
    "dice": "errors",
    "images": "fixed",
    "importers": "images",
    "synthetic": "images quantize",
    "dataset": "images dice bundled synthetic",
    "train": "dataset quantize",
    "plan": "graph",
    "estimate": "plan",
    "gateware": "plan",
    "manifest": "errors",
    "driver": "plan manifest",
    "emit": "gateware checkpoint driver",
    "synth": "emit golden",
    "cosim": "emit dataset quantize",
    "published": "",
    "studies": "train cosim published synth estimate",
    "sweep": "synth train bundled published",
    "cli": "train synth cosim importers exchange sweep estimate",
    "__main__": "cli",
    "__init__": "",
}
"""Part of the package -> the parts right below it; what lies below those may be imported too."""

ONLY_UNDER = {
    "torch": ["fxhw/train", "tests/train", "tests/exchange/data"],
    "brevitas": ["tests/exchange/data"],
    "onnx": ["fxhw/exchange", "tests/exchange"],
    "qonnx": ["fxhw/exchange", "tests/exchange"],
    "amaranth": ["fxhw/gateware", "fxhw/emit", "tests/gateware", "tests/emit", "tests/driver"],
    "cocotb": ["fxhw/cosim", "sim", "tests/cosim"],
    "cocotbext": ["tests/cosim"],
    "cocotb_tools": ["fxhw/cosim", "sim", "tests/cosim"],
    "distributed": ["fxhw/sweep", "tests/sweep"],
    "matplotlib": [
        "fxhw/estimate", "fxhw/studies", "fxhw/sweep", "fxhw/synth", "tests/studies", "tests/sweep"
    ],
    "nibabel": ["fxhw/importers", "tests/importers"],
    "pydicom": ["fxhw/importers", "tests/importers"],
    "tifffile": ["fxhw/importers", "tests/importers"],
}
"""Third-party package -> the folders that may import it."""


def allowed(part):
    """All parts that ``part`` may import."""
    result, todo = {part}, [part]
    while todo:
        for other in BELOW[todo.pop()].split():
            if other not in result:
                result.add(other)
                todo.append(other)
    return result


def imports(path):
    """(line, absolute module, names) of every import in a file, those in functions included."""
    package = list(path.relative_to(ROOT).with_suffix("").parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, []
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield node.lineno, module, [alias.name for alias in node.names]


def modules(path):
    """(line, module) of the modules of this package that a file imports."""
    for line, module, names in imports(path):
        if module.partition(".")[0] != "fxhw":
            continue
        folder = ROOT.joinpath(*module.split("."))
        inner = [name for name in names if _is_module(folder / name)]
        for name in inner:
            yield line, f"{module}.{name}"
        if len(inner) < len(names) or not names:
            yield line, module


def _is_module(path):
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def part_of(module):
    """``graph`` of ``fxhw.graph.network``."""
    return (module.split(".") + ["__init__"])[1]


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = sorted(PACKAGE.rglob("*.py"))


def test_every_part_has_its_place():
    assert {part_of(name_of(path)) for path in SOURCES} <= set(BELOW)


def test_imports_follow_the_order():
    wrong = []
    for path in SOURCES:
        may = allowed(part_of(name_of(path))) | {"__init__"}
        for line, module in modules(path):
            if part_of(module) not in may:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert wrong == []


def test_no_module_imports_itself_in_a_circle():
    graph = {name_of(path): {module for _, module in modules(path)} for path in SOURCES}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("package", ONLY_UNDER)
def test_heavy_packages_stay_where_they_belong(package):
    wrong = []
    for path in [*SOURCES, *(ROOT / "sim").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        where = path.relative_to(ROOT).as_posix()
        if any(where.startswith(f"{folder}/") for folder in ONLY_UNDER[package]):
            continue
        for line, module, _ in imports(path):
            if module.partition(".")[0] == package:
                wrong.append(f"{where}:{line} imports {module}")
    assert wrong == []


def test_order_itself_has_no_circle():
    TopologicalSorter({part: below.split() for part, below in BELOW.items()}).prepare()
