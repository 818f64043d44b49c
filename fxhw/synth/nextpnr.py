"""Place and route, out of context, by the nextpnr that comes from the Python package index."""

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ..errors import FxhwError, ToolError
from .blocks import assign_blocks
from .harness import HARNESS, Primitives, wrap
from .netlist import Netlist
from .placement import Placement
from .targets import Target
from .timing import read_arrivals, read_critical_path

__all__ = ["DEVICES", "Device", "NextpnrError", "find_device", "place"]

_LAUNCH = "import sys, {module} as tool; sys.exit(tool.run_{name}(sys.argv[1:]))"


class NextpnrError(ToolError):
    """Place and route has failed."""


@dataclass(frozen=True)
class Device:
    """How nextpnr is told of a part.

    Parameters
    ----------
    tool : name of the program, as ``nextpnr-ecp5``; its package is ``yowasp-`` and that.
    arguments : options for the part.
    method : how ports are treated, for readers.
    primitives : cells for the harness.
    pins : pins of the harness: clock, input, output; none where nextpnr chooses them.
    """

    tool: str
    arguments: tuple[str, ...]
    method: str
    primitives: Primitives
    pins: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """The Python module that runs it."""
        return f"yowasp_{self.tool.replace('-', '_')}"

    @property
    def installed(self) -> bool:
        """Whether it can be run."""
        return importlib.util.find_spec(self.module) is not None


_BETWEEN = "ports between two shift registers"

_ECP5 = Primitives(
    flip_flop=("TRELLIS_FF", "CLK", "DI", "Q"),
    flip_flop_parameters={"GSR": "DISABLED", "CEMUX": "1 ", "REGSET": "RESET"},
    xor=("LUT4", "A", "B", "Z"),
    unused=("C", "D"),
    parameters={"INIT": "0110011001100110"},
)
_ICE40 = Primitives(
    flip_flop=("SB_DFF", "C", "D", "Q"),
    xor=("SB_LUT4", "I0", "I1", "O"),
    unused=("I2", "I3"),
    parameters={"LUT_INIT": "0110011001100110"},
)
_GOWIN = Primitives(
    flip_flop=("DFF", "CLK", "D", "Q"),
    xor=("LUT2", "I0", "I1", "F"),
    unused=(),
    parameters={"INIT": "0110"},
    buffers=("IBUF", "OBUF"),
)


def _ecp5(size: str) -> Device:
    arguments = (f"--{size}", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained")
    return Device("nextpnr-ecp5", arguments, f"speed grade 6, {_BETWEEN}", _ECP5)


def _gowin(device: str, family: str, pins: tuple[str, str, str]) -> Device:
    arguments = ("--device", device, "--vopt", f"family={family}", "--vopt", "cst=pins.cst")
    return Device("nextpnr-himbaechel-gowin", arguments, _BETWEEN, _GOWIN, pins)


DEVICES = {
    "ecp5-25k": _ecp5("25k"),
    "ecp5-45k": _ecp5("45k"),
    "ecp5-85k": _ecp5("85k"),
    "gw1nr9": _gowin("GW1NR-LV9QN88PC6/I5", "GW1N-9C", ("52", "3", "10")),
    "gw2a18": _gowin("GW2A-LV18PG256C8/I7", "GW2A-18", ("H11", "T10", "C13")),
    "up5k": Device(
        "nextpnr-ice40",
        ("--up5k", "--package", "sg48", "--pcf-allow-unconstrained"),
        _BETWEEN,
        _ICE40,
    ),
}
"""The parts that nextpnr places, by target."""


def find_device(target: Target) -> Device:
    """The part that ``target`` is for nextpnr.

    Raises
    ------
    FxhwError if it is none, or if its nextpnr is not installed.
    """
    if target.name not in DEVICES:
        raise FxhwError(
            f"Target {target.name} cannot be placed and routed; nextpnr takes the parts "
            f"{', '.join(DEVICES)}"
        )
    device = DEVICES[target.name]
    if not device.installed:
        raise FxhwError(
            f"Place and route for {target.name} needs yowasp-{device.tool}, which is not "
            "installed; run: pip install 'fxhw[pnr]'"
        )
    return device


def place(
    netlist: Netlist,
    target: Target,
    *,
    seed: int = 1,
    goal: float = 125.0,
    progress: Callable[[str], None] = lambda line: None,
) -> Placement:
    """Place and route a netlist made for ``target``.

    Parameters
    ----------
    seed : of the placer; others give other results.
    goal : clock in MHz to aim at; missing it is no error.
    progress : called with every line that nextpnr prints.

    Raises
    ------
    FxhwError as :func:`find_device`; NextpnrError if the design cannot be placed or routed, or
    nextpnr fails.
    """
    device = find_device(target)
    blocks = assign_blocks(netlist)
    module = wrap(netlist, device.primitives)
    blocks |= dict.fromkeys(module["cells"].keys() - netlist.module["cells"].keys(), HARNESS)
    with tempfile.TemporaryDirectory(prefix="fxhw-") as work:
        path = Path(work) / "netlist.json"
        path.write_text(json.dumps({"modules": {netlist.top: module}}), encoding="utf-8")
        pins = [f'IO_LOC "{port}" {pin};\n' for port, pin in zip(module["ports"], device.pins)]
        (Path(work) / "pins.cst").write_text("".join(pins), encoding="utf-8")
        arguments = (
            "--json", path.name, "--top", netlist.top, *device.arguments,
            "--seed", str(seed), "--freq", str(goal), "--timing-allow-fail",
            "--report", "report.json", "--detailed-timing-report",
        )  # fmt: skip
        output = _run(device, arguments, work, progress)
        try:
            report = json.loads((Path(work) / "report.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise NextpnrError(
                f"{device.tool} wrote a report that cannot be read: {error}", output
            ) from error
    if not report["fmax"]:
        raise NextpnrError(f"{device.tool} found no path from register to register", output)
    return Placement(
        tool=f"{device.tool} {metadata.version(f'yowasp-{device.tool}')}",
        method=device.method,
        seed=seed,
        goal=goal,
        fmax=min(clock["achieved"] for clock in report["fmax"].values()),
        utilization={
            kind: (use["used"], use["available"])
            for kind, use in sorted(report["utilization"].items())
        },
        critical=read_critical_path(report, netlist, blocks),
        arrivals=read_arrivals(report, blocks),
    )


def _run(device: Device, arguments: tuple, work: str, progress: Callable[[str], None]) -> str:
    """Run nextpnr; what it printed."""
    launch = _LAUNCH.format(module=device.module, name=device.tool.replace("-", "_"))
    lines = []
    with subprocess.Popen(
        [sys.executable, "-c", launch, *arguments],
        cwd=work,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            for line in process.stdout:
                lines.append(line)
                progress(line.strip())
        except BaseException:
            process.kill()
            raise
    output = "".join(lines)
    if process.returncode != 0:
        raise NextpnrError(_say(device.tool, process.returncode, lines), output)
    return output


def _say(tool: str, status: int, lines: list[str]) -> str:
    """Why nextpnr ended, in a sentence."""
    if status < 0:
        return f"{tool} was ended by signal {-status}; most likely the memory ran out"
    errors = [line.strip() for line in lines if "ERROR" in line]
    said = errors[0] if errors else " ".join(line.strip() for line in lines[-2:]) or "nothing"
    short = any(word in "".join(lines[-40:]) for word in ("bad_alloc", "out of memory"))
    return f"{tool} ended with status {status}{', out of memory' * short}; it said: {said}"
