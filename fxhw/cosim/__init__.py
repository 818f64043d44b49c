"""Co-simulation: generated Verilog against the golden model, bit for bit.

:mod:`~fxhw.cosim.bench` (with ``bench.v``) runs inside the simulator and uses
:mod:`~fxhw.cosim.drivers`; everything else runs outside: :mod:`~fxhw.cosim.jobs` writes down what
the bench shall do, :mod:`~fxhw.cosim.simulators` builds and runs it, :mod:`~fxhw.cosim.traces`
reads its records, :mod:`~fxhw.cosim.scoreboard` compares them with the golden model and
:mod:`~fxhw.cosim.simulate` ties these together.

:mod:`~fxhw.cosim.compiled` builds another bench, in C++ (``model/``), with external memory and no
Python in a cycle; :mod:`~fxhw.cosim.build_cache` keeps the builds of both.
"""

from .compiled import CompiledBench, build_compiled
from .jobs import Job, Script
from .simulate import Folder, Result, run_jobs, run_scripts, simulate
from .simulators import SIMULATORS, check_simulator

__all__ = [
    "SIMULATORS",
    "CompiledBench",
    "Folder",
    "Job",
    "Result",
    "Script",
    "build_compiled",
    "check_simulator",
    "run_jobs",
    "run_scripts",
    "simulate",
]
