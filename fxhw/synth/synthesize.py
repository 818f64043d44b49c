"""Runs Yosys on a generated folder."""

import hashlib
import os
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from ..emit import load_manifest, run_yosys
from ..emit.sources import fingerprint
from ..errors import FxhwError
from .blocks import assign_blocks
from .families import FAMILIES
from .netlist import INPUTS, NETLIST, Netlist, kind_of, load_netlist
from .targets import Target

__all__ = ["Resources", "check_design", "commands", "content", "count", "synthesize"]

_CHECK = """\
{library}read_verilog {top}.v
hierarchy -check -top {top}
proc
opt_clean
check -assert
select -assert-none t:$dlatch t:$adlatch t:$_DLATCH_*
"""

_SYNTHESIZE = """\
read_verilog {top}.v
tee -q -o {inputs} select -list i:*
{command}
check -assert
select {top}
write_json -selected {netlist}
"""


@dataclass(frozen=True)
class Resources:
    """What a design takes on a target.

    Parameters
    ----------
    target : the family or part.
    dsp : whether multiplier blocks were allowed.
    classes : counts by class (see :data:`fxhw.synth.families.CLASSES`).
    cells : counts by cell name.
    seconds : how long Yosys took.
    blocks : counts by class of each block of the hierarchy, by its path; their sums are
        ``classes``.  See :mod:`fxhw.synth.blocks`.
    """

    target: Target
    dsp: bool
    classes: dict[str, float]
    cells: dict[str, int]
    seconds: float
    blocks: dict[str, dict[str, float]] = field(default_factory=dict)


def check_design(folder: str | os.PathLike) -> None:
    """Have Yosys look for latches, loops, undriven nets and conflicting drivers.

    Raises
    ------
    FxhwError with what Yosys found.
    """
    # Cells of a family's own stand in the design only if it was made for that family.
    library = FAMILIES[made_for(folder)].library
    script = _CHECK.replace("{library}", f"read_verilog -lib {library}\n" if library else "")
    with tempfile.TemporaryDirectory(prefix="fxhw-") as work:
        _run(Path(folder), Path(work), script)


def made_for(folder: str | os.PathLike) -> str:
    """Family whose cells the design in a generated folder is made of, or ``generic``."""
    return load_manifest(folder)["design"].get("target", "generic")


def commands(manifest: dict, target: Target, dsp: bool = True) -> str:
    """Yosys commands that synthesize the design of a ``manifest``.

    The ``mixed`` style promises a number of multiplier blocks: none are made of multiplications
    outside its array.
    """
    style = manifest.get("design", {}).get("style")
    return target.script(manifest["top"], dsp, style == "mixed")


def content(folder: str | os.PathLike, target: Target, dsp: bool = True) -> str:
    """Hash (hex) of all that a synthesis of ``folder`` depends on: sources, commands, tools."""
    folder = Path(folder)
    script = commands(load_manifest(folder), target, dsp)
    digest = hashlib.sha256(f"{script}\n{fingerprint(())}\n".encode())
    for path in sorted(path for kind in ("v", "vh", "mem") for path in folder.glob(f"*.{kind}")):
        data = path.read_bytes()
        digest.update(f"{path.name} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:24]


def synthesize(
    folder: str | os.PathLike,
    target: Target,
    dsp: bool = True,
    netlist: str | os.PathLike | None = None,
) -> Resources:
    """Synthesize the Verilog of a generated ``folder`` for a target.

    Parameters
    ----------
    netlist : folder to be made for the netlist, which place and route takes.

    Raises
    ------
    FxhwError if the folder is none, if its design is made of another family's cells, or if Yosys
    fails.
    """
    family = made_for(folder)
    if family not in ("generic", target.family):
        raise FxhwError(
            f"Design in {folder} is made of {family} cells and cannot be synthesized for "
            f"{target.name}; generate it for that target, or for generic"
        )
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fxhw-") as work:
        manifest = load_manifest(folder)
        top = manifest["top"]
        script = _SYNTHESIZE.replace("{command}", commands(manifest, target, dsp).rstrip())
        script = script.replace("{netlist}", NETLIST).replace("{inputs}", INPUTS)
        _run(Path(folder), Path(work), script)
        seconds = time.monotonic() - start
        result = count(load_netlist(Path(work), top), target, dsp, seconds)
        if netlist is not None:
            Path(netlist).mkdir()
            for name in (NETLIST, INPUTS):
                shutil.move(Path(work) / name, netlist)
    return result


def count(netlist: Netlist, target: Target, dsp: bool = True, seconds: float = 0.0) -> Resources:
    """What a netlist takes, in all and by block.

    Raises
    ------
    FxhwError if it holds cells that were not mapped to the target.
    """
    unmapped = sorted(kind for kind in netlist.counts if kind.startswith("$") and kind[1] != "_")
    if unmapped:
        raise FxhwError(
            f"Yosys left cells that {target.name} does not have: {', '.join(unmapped)}; "
            "this is a mistake of its script in fxhw/synth/families.py"
        )
    blocks = defaultdict(Counter)
    for name, block in assign_blocks(netlist).items():
        kind, amount = kind_of(netlist.cells[name])
        blocks[block][kind] += amount
    return Resources(
        target,
        dsp,
        target.classify(netlist.counts),
        dict(sorted(netlist.counts.items())),
        seconds,
        {block: target.classify(cells) for block, cells in sorted(blocks.items())},
    )


def _run(folder: Path, work: Path, script: str) -> None:
    """Run ``script`` in ``work`` on a copy of the folder's sources."""
    top = load_manifest(folder)["top"]
    for path in (folder / f"{top}.v", *folder.glob("*.mem"), *folder.glob("*.vh")):
        if not path.is_file():
            raise FxhwError(f"File {path} is missing; run 'fxhw generate' again")
        shutil.copy(path, work)
    run_yosys(script.replace("{top}", top), work)
