"""Runs Yosys on a generated folder."""

import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ..emit import load_manifest, run_yosys
from ..errors import FxhwError
from .targets import Target

__all__ = ["Resources", "check_design", "synthesize"]

_CHECK = """\
{library}read_verilog {top}.v
hierarchy -check -top {top}
proc
opt_clean
check -assert
select -assert-none t:$dlatch t:$adlatch t:$_DLATCH_*
"""

_LIBRARIES = {"ecp5": "+/ecp5/cells_sim.v"}
"""Yosys's models of the cells of families that a design can be made for."""

_SYNTHESIZE = """\
read_verilog {top}.v
{command}
check -assert
tee -q -o stat.json stat -json -top {top}
"""


@dataclass(frozen=True)
class Resources:
    """What a design takes on a family.

    Parameters
    ----------
    target : the family.
    dsp : whether multiplier blocks were allowed.
    classes : counts by class (see :data:`fxhw.synth.targets.CLASSES`).
    cells : counts by cell name.
    seconds : how long Yosys took.
    """

    target: Target
    dsp: bool
    classes: dict[str, float]
    cells: dict[str, int]
    seconds: float


def check_design(folder: str | os.PathLike) -> None:
    """Have Yosys look for latches, loops, undriven nets and conflicting drivers.

    Raises
    ------
    FxhwError with what Yosys found.
    """
    # Cells of a family's own stand in the design only if it was made for that family.
    target = load_manifest(folder)["design"].get("target", "generic")
    library = _LIBRARIES.get(target)
    _run(Path(folder), _CHECK, {"library": f"read_verilog -lib {library}\n" if library else ""})


def synthesize(folder: str | os.PathLike, target: Target, dsp: bool = True) -> Resources:
    """Synthesize the Verilog of a generated ``folder`` for a family.

    Raises
    ------
    FxhwError if the folder is none, if its design is made of another family's cells, or if Yosys
    fails.
    """
    made_for = load_manifest(folder)["design"].get("target", "generic")
    if made_for not in ("generic", target.name):
        raise FxhwError(
            f"Design in {folder} is made of {made_for} cells and cannot be synthesized for "
            f"{target.name}; generate it for that target, or for generic"
        )
    command = target.command + ("" if dsp else f" {target.no_dsp}")
    start = time.monotonic()
    stat = _run(Path(folder), _SYNTHESIZE, {"command": command})
    cells = {
        name.lstrip("\\"): int(count)
        for name, count in sorted(stat["design"]["num_cells_by_type"].items())
        if not name.startswith("$")
    }
    seconds = time.monotonic() - start
    return Resources(target, dsp, target.classify(cells), cells, seconds)


def _run(folder: Path, script: str, values: dict[str, str]) -> dict:
    """Run ``script`` on a copy of the folder's sources; its statistics, if it writes any."""
    top = load_manifest(folder)["top"]
    with tempfile.TemporaryDirectory(prefix="fxhw-") as work:
        for path in (folder / f"{top}.v", *folder.glob("*.mem")):
            if not path.is_file():
                raise FxhwError(f"File {path} is missing; run 'fxhw generate' again")
            shutil.copy(path, work)
        values = {"command": ""} | values
        values["command"] = values["command"].format(top=top)
        run_yosys(script.format(top=top, **values), work)
        stat = Path(work) / "stat.json"
        if not stat.is_file():
            return {}
        try:
            return json.loads(stat.read_text(encoding="utf-8"))
        except ValueError as error:
            raise FxhwError(f"Yosys wrote statistics that cannot be read: {error}") from error
