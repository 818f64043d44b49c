"""The compiled bench: a generated accelerator, its clock and its memory, with no Python in a cycle.

The bench is C++ around the Verilated top (``fxhw/cosim/model``).  It has a clock, AXI4-Lite access
to the registers, an AXI4 memory with latency, pauses, reordering, errors on request and guarded
ranges, or both as Wishbone, and AXI4-Streams for a top that has those.
:class:`fxhw.driver.Simulation` runs it as a process and gives it the buses a driver needs; C
programs link with it.
"""

import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ..errors import FxhwError
from ..manifest import load_manifest
from .build_cache import build_once, copy_objects, first_error, keep_objects
from .simulators import MAKE_ARGS, VERILATOR_ARGS, check_no_space, check_verilator

__all__ = ["CompiledBench", "build_compiled"]

_MODEL = Path(__file__).parent / "model"

_SERVE = "serve"
"""The program that takes commands over its standard streams."""


@dataclass(frozen=True)
class CompiledBench:
    """A built bench.

    Parameters
    ----------
    build : folder with its objects.
    files : folder the simulation must run in, because the Verilog reads files.
    """

    build: Path
    files: Path

    @property
    def program(self) -> Path:
        """The program to run, with base and size of the memory and a seed as arguments."""
        return self.build / _SERVE

    @property
    def objects(self) -> list[Path]:
        """What a program of one's own links with: the bench, its top, Verilator's own part."""
        bench = [self.build / f"{path.stem}.o" for path in sorted(_MODEL.glob("*.cpp"))]
        bench = [path for path in bench if path.stem != _SERVE]
        return [*bench, self.build / "Vtop__ALL.a", *sorted(self.build.glob("verilated*.o"))]

    def link(self, sources: Sequence[Path], output: Path) -> Path:
        """Compile C ``sources`` to the program ``output``, in one with the bench.

        The sources may include ``fxhw_bench.h`` and whatever lies beside them.

        Raises
        ------
        FxhwError with the compiler's first error.
        """
        log = output.with_suffix(".log")
        objects = [output.parent / f"{source.stem}.o" for source in sources]
        strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1"]
        parts = [*objects, *self.objects]
        try:
            for source, target in zip(sources, objects):
                _call(["gcc", *strict, f"-I{_MODEL}", "-c", str(source), "-o", str(target)], log)
            _call(["g++", *map(str, parts), "-pthread", "-o", str(output)], log)
        except FxhwError as error:
            raise FxhwError(f"C program {output} cannot be built: {error}") from error
        return output


def build_compiled(
    folder: str | os.PathLike,
    cache: str | os.PathLike = "build/cosim",
    *,
    optimize: bool = True,
    threads: int = 1,
) -> CompiledBench:
    """Build the bench of a generated folder, once per content.

    Parameters
    ----------
    folder : has a manifest and the Verilog of its top.
    cache : folder that keeps builds.
    optimize : compile for long runs; otherwise for a short build.
    threads : of the simulation.

    Raises
    ------
    FxhwError if the folder is none, has no bus that the bench has, or Verilator is missing or
    cannot build it.
    """
    folder = Path(folder)
    manifest = load_manifest(folder, block=False)
    verilog = folder / f"{manifest['top']}.v"
    _check_registers(folder, manifest)
    root = check_verilator()
    sources = sorted(_MODEL.glob("*.cpp"))
    flags = [f"-I{_MODEL}", *_defines(manifest["ports"])]
    level = "-O2" if optimize else "-O0"
    settings = flags, level, threads, metadata.version("verilator"), VERILATOR_ARGS, MAKE_ARGS
    key = hashlib.sha256(repr(settings).encode())
    for path in (verilog, *sources, *sorted(_MODEL.glob("*.h"))):
        key.update(hashlib.sha256(path.read_bytes()).digest())
    cache = Path(cache)
    shared = hashlib.sha256(repr(settings[1:]).encode()).hexdigest()[:20]
    runtime = cache / f"verilated-{shared}"
    target = cache / f"compiled-{key.hexdigest()[:20]}"
    check_no_space(target.resolve())

    def build(temporary: Path) -> None:
        log = temporary / "build.log"
        copy_objects(runtime, temporary)
        verilate = [
            str(root / "bin" / "verilator_bin"), "-cc", "--exe", "-Mdir", str(temporary),
            "--top-module", manifest["top"], "--prefix", "Vtop", "-o", _SERVE,
            "--threads", str(threads), *VERILATOR_ARGS,
            *(part for flag in flags for part in ("-CFLAGS", flag)),
            *map(str, sources), str(verilog.resolve()),
        ]  # fmt: skip
        jobs = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
        # Kept objects are older than the makefile, which their rule depends on.
        make = ["make", "-j", str(jobs), "-C", str(temporary), "-f", "Vtop.mk", "-o", "Vtop.mk"]
        make += [*MAKE_ARGS, f"OPT_FAST={level}", _SERVE]
        environment = os.environ | {"VERILATOR_ROOT": str(root)}
        try:
            _call(verilate, log, environment)
            _call(make, log, environment)
        except FxhwError as error:
            raise FxhwError(f"Simulator verilator cannot build {verilog}: {error}") from error
        keep_objects(temporary, runtime)

    return CompiledBench(build_once(target, build), folder.resolve())


def _check_registers(folder: Path, manifest: dict) -> None:
    """Registers must be behind a bus that the bench has."""
    names = {port["name"] for port in manifest["ports"]}
    if not names & {"s_axi_awaddr", "s_wb_adr"}:
        raise FxhwError(
            f"Folder {folder} cannot be simulated: its top {manifest['top']} has its registers "
            "neither at AXI4-Lite pins, s_axi_*, nor at Wishbone pins, s_wb_*; generate it again"
        )


def _defines(ports: Sequence[dict]) -> list[str]:
    """Macros that tell the bench which pins the top has."""
    widths = {port["name"]: port["width"] for port in ports}
    defines = []
    for name in ("m_axi_wdata", "m_wb_dat_w"):
        if name in widths:
            defines.append(f"-DFXHW_MEMORY_BYTES={widths[name] // 8}")
    if "s_wb_adr" in widths:
        defines.append("-DFXHW_WISHBONE")
    if "s_axis_tdata" in widths:
        defines.append("-DFXHW_STREAMS")
    if "trace_step" in widths:
        defines.append("-DFXHW_STEP")
    for name in ("front", "out", "write"):
        if f"trace_{name}_data" in widths:
            size = -(-widths[f"trace_{name}_data"] // 8)
            defines.append(f"-DFXHW_{name.upper()}_BYTES={size}")
    return defines


def _call(command: list[str], log: Path, environment=None) -> None:
    """Run a tool; FxhwError with its first error line if it fails."""
    with open(log, "w", encoding="utf-8") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
    if done.returncode:
        raise FxhwError(first_error(log) or f"{command[0]} ended with status {done.returncode}")
