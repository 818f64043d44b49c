"""Co-simulation: generated Verilog against the golden model, bit for bit.

:mod:`~fxhw.cosim.bench` (with ``bench.v``) runs inside the simulator and uses
:mod:`~fxhw.cosim.drivers`; everything else runs outside: :mod:`~fxhw.cosim.jobs` writes down what
the bench shall do, :mod:`~fxhw.cosim.simulators` builds and runs it, :mod:`~fxhw.cosim.traces`
reads its records, :mod:`~fxhw.cosim.scoreboard` compares them with the golden model and
:mod:`~fxhw.cosim.simulate` ties these together.

:mod:`~fxhw.cosim.compiled` builds another bench, in C++ (``model/``), with external memory and no
Python in a cycle, and :mod:`~fxhw.cosim.compiled_run` runs an image on it;
:mod:`~fxhw.cosim.build_cache` keeps the builds of both, :mod:`~fxhw.cosim.result` says what a run
on either did.
"""

from .compiled import CompiledBench, build_compiled
from .compiled_run import Timing, run_compiled
from .jobs import Job, Script
from .result import Result
from .simulate import Folder, run_jobs, run_scripts, simulate
from .simulators import SIMULATORS, check_simulator

__all__ = [
    "SIMULATORS",
    "CompiledBench",
    "Folder",
    "Job",
    "Result",
    "Script",
    "Timing",
    "build_compiled",
    "check_simulator",
    "run_compiled",
    "run_jobs",
    "run_scripts",
    "simulate",
]
