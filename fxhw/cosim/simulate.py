"""Runs networks on a generated accelerator in a simulator and checks everything they do."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..checkpoint import load_checkpoint
from ..emit import load_manifest
from ..emit.bundle import CHECKPOINT
from ..errors import FxhwError
from ..graph import Network
from ..plan import Design, Plan, compile_network
from .jobs import Job, Script, run_script
from .result import Result, cycles_of_steps
from .scoreboard import check_job
from .simulators import build_bench, run_bench
from .traces import read_steps

__all__ = ["Folder", "Result", "run_jobs", "run_scripts", "simulate"]

SLACK_CYCLES = 20_000
"""Cycles a run may take beyond its share, before it counts as hung."""


LONG_CYCLES = 50_000
"""Cycles from which on the simulation is worth optimizing."""


@dataclass(frozen=True, eq=False)
class Folder:
    """A generated folder, opened.

    Parameters
    ----------
    path : the folder.
    manifest : its manifest.
    design : the accelerator's parameters.
    network : the network it was generated for.
    """

    path: Path
    manifest: dict
    design: Design
    network: Network

    @classmethod
    def open(cls, path: str | os.PathLike) -> "Folder":
        """Open a generated folder.

        Raises
        ------
        FxhwError if it is none, or damaged.
        """
        path = Path(path)
        manifest = load_manifest(path, block=False)
        design = Design.from_json(manifest["design"])
        return cls(path, manifest, design, load_checkpoint(path / CHECKPOINT))

    @property
    def verilog(self) -> Path:
        """The Verilog file."""
        return self.path / f"{self.manifest['top']}.v"

    @property
    def beats(self) -> tuple[int, ...]:
        """Initial contents of the parameter memory."""
        return self.plan(self.network).beats

    def plan(self, network: Network) -> Plan:
        """``network`` as a program.

        Raises
        ------
        FxhwError if it does not fit.
        """
        return compile_network(network, self.design)

    def defines(self) -> dict[str, object]:
        """Macros of the test bench."""
        widths = {port["name"]: port["width"] for port in self.manifest["ports"]}
        return {
            "FXHW_TOP": self.manifest["top"],
            "FXHW_PIN_BITS": widths["trace_front_data"],
            "FXHW_POUT_BITS": widths["trace_out_data"],
            "FXHW_ADDRESS_BITS": widths["trace_write_address"],
        }


def simulate(
    folder: str | os.PathLike,
    network: Network | None = None,
    image: np.ndarray | None = None,
    *,
    simulator: str = "verilator",
    stalls: bool = False,
    seed: int = 1,
    logits: bool = False,
    waves: bool = False,
    cache: str | os.PathLike = "build/cosim",
    progress: Callable[[str], None] | None = None,
) -> Result:
    """Run one image through a generated accelerator and check every bit.

    Parameters
    ----------
    network : a network to load as a program (default: the one it was generated for).
    image : (height, width, channels) codes, or (height, width); the network is compiled for its
        size (default: the first calibration image, or noise).
    stalls, seed : pause both streams at random, and how.
    logits : ask for logits instead of the mask.
    waves : write waveforms even if nothing is wrong.
    cache : folder for builds and runs.
    progress : called with a phrase when a new phase begins.

    Raises
    ------
    FxhwError if the folder is unusable, the network does not fit, the simulator is missing or
    the simulation breaks off.
    """
    opened = Folder.open(folder)
    network = network or opened.network
    if image is None:
        image = default_image(network)
    image = image[:, :, None] if image.ndim == 2 else image
    job = Job(network.resized(image.shape[:2]), image, stalls, seed, logits)
    options = {"simulator": simulator, "cache": cache, "progress": progress}
    result = run_jobs(opened, [job], waves_from=0 if waves else None, **options)[0]
    check = result.verdict.first
    if result.passed or waves:
        return result
    # Once more, with waveforms of the cycles that lead to the first mismatch.
    cycle = check.first.cycle if check and check.first else 0
    window = {"waves_from": max(0, cycle - 2000), "waves_to": cycle}
    return replace(result, waves=run_jobs(opened, [job], **window, **options)[0].waves)


def default_image(network: Network) -> np.ndarray:
    """A calibration image if one has the network's size, else noise."""
    height, width = network.size
    for image in network.calibration:
        if image.shape[:2] == (height, width):
            return image
    rng = np.random.default_rng(0)
    shape = (height, width, network.image_channels)
    return rng.integers(0, network.image.max, shape, endpoint=True).astype(np.uint8)


def run_jobs(
    folder: str | os.PathLike | Folder,
    jobs: Sequence[Job],
    *,
    simulator: str = "verilator",
    cache: str | os.PathLike = "build/cosim",
    waves_from: int | None = None,
    waves_to: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Result]:
    """Run ``jobs`` one after the other in one simulation, without a reset between them.

    Parameters
    ----------
    waves_from, waves_to : first cycle of the waveforms, if any, and the cycle soon after which
        the run may be given up.

    Raises
    ------
    FxhwError as :func:`simulate`.
    """
    folder = folder if isinstance(folder, Folder) else Folder.open(folder)
    scripts, places, plans, loaded = [], [], [], folder.beats
    for job in jobs:
        plan = compile_network(job.network, folder.design)
        # Both streams pause most of the time at the lowest rate, 8 in 256.
        pixels = job.image.size + job.image.shape[0] * job.image.shape[1] * 4
        limit = 4 * plan.estimate.total + SLACK_CYCLES + (100 * pixels if job.stalls else 0)
        if waves_to is not None:
            limit = min(limit, waves_to + 200)
        script, where = run_script(job, plan, limit, load=plan.beats != loaded)
        loaded = plan.beats
        scripts.append(script)
        places.append(where)
        plans.append(plan)
    with _workspace(cache, folder) as (work, keep):
        outcome = _run(folder, scripts, work, simulator, cache, waves_from, progress, jobs[0].seed)
        if progress:
            progress("comparing with the golden model")
        results = []
        waves = work / "waves.vcd"
        for number, (job, plan, where) in enumerate(zip(jobs, plans, places)):
            values = {name: outcome[number][index] for name, index in where.items()}
            steps = read_steps(work / f"job{number}" / "steps.txt")
            finished = bool(values.pop("wait"))
            values.pop("stop")
            results.append(
                Result(
                    job,
                    plan,
                    finished,
                    values,
                    check_job(job, plan, work / f"job{number}"),
                    cycles_of_steps(steps, plan.places),
                    waves if waves.is_file() else None,
                )
            )
        if waves.is_file():
            keep()
    return results


def run_scripts(
    folder: str | os.PathLike | Folder,
    scripts: Sequence[Script],
    *,
    simulator: str = "verilator",
    cache: str | os.PathLike = "build/cosim",
    seed: int = 1,
    inspect: Callable[[int, Path], None] | None = None,
) -> list[list]:
    """Carry out hand-written scripts in one simulation; returns what each command returned.

    Parameters
    ----------
    inspect : called with each script's number and the folder of its records, for
        :mod:`fxhw.cosim.traces`.

    Raises
    ------
    FxhwError as :func:`simulate`.
    """
    folder = folder if isinstance(folder, Folder) else Folder.open(folder)
    with _workspace(cache, folder) as (work, _):
        outcome = _run(folder, scripts, work, simulator, cache, None, None, seed)
        for number in range(len(scripts)) if inspect else ():
            inspect(number, work / f"job{number}")
        return outcome


def _run(folder, scripts, work, simulator, cache, waves_from, progress, seed) -> list[list]:
    """Build and run; one list of command results per script."""
    if progress:
        progress(f"building the {simulator} simulation")
    waves = waves_from is not None
    long = folder.manifest["estimated_cycles"] > LONG_CYCLES
    build = build_bench(simulator, folder.verilog, folder.defines(), Path(cache), waves, long)
    for path in folder.path.glob("*.mem"):
        shutil.copy(path, work)
    commands = []
    for number, script in enumerate(scripts):
        here = work / f"job{number}"
        here.mkdir()
        for name, data in script.files.items():
            (here / name).write_bytes(data)
        commands.append([_place(command, number) for command in script.commands])
    (work / "jobs.json").write_text(json.dumps(commands))
    if progress:
        progress(f"simulating with {simulator}")
    plusargs = (f"+waves_from={waves_from}",) if waves else ()
    run_bench(simulator, build, work, seed, plusargs)
    return [
        json.loads((work / f"job{number}" / "result.json").read_text())
        for number in range(len(scripts))
    ]


def _place(command: tuple[str, dict], number: int) -> tuple[str, dict]:
    """``command`` with its file in the job's folder and the job's number."""
    name, arguments = command
    if name == "load":
        return name, arguments | {"file": f"job{number}/{arguments['file']}"}
    if name == "play":
        return name, arguments | {"job": number}
    return name, arguments


class _workspace:
    """A folder for one run, removed afterwards unless the run failed or ``keep`` was called."""

    def __init__(self, cache: str | os.PathLike, folder: Folder):
        self._cache, self._name = Path(cache), folder.manifest["top"]
        self._kept = False

    def __enter__(self):
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            self._path = Path(tempfile.mkdtemp(prefix=f"run-{self._name}-", dir=self._cache))
        except OSError as error:
            raise FxhwError(
                f"Build folder {self._cache} cannot be written: {error.strerror}"
            ) from error
        self._path = self._path.resolve()
        return self._path, self._keep

    def _keep(self):
        self._kept = True

    def __exit__(self, kind, value, trace):
        if kind is None and not self._kept:
            shutil.rmtree(self._path, ignore_errors=True)
