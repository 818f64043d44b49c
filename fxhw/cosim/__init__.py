"""Co-simulation: generated Verilog against the golden model, bit for bit.

:mod:`~fxhw.cosim.bench` (with ``bench.v``) runs inside the simulator and uses
:mod:`~fxhw.cosim.drivers`; everything else runs outside: :mod:`~fxhw.cosim.jobs` writes down what
the bench shall do, :mod:`~fxhw.cosim.simulators` builds and runs it, :mod:`~fxhw.cosim.traces`
reads its records, :mod:`~fxhw.cosim.scoreboard` compares them with the golden model and
:mod:`~fxhw.cosim.simulate` ties these together.
"""

from .jobs import Job, Script
from .simulate import Folder, Result, run_jobs, run_scripts, simulate
from .simulators import SIMULATORS, check_simulator

__all__ = [
    "SIMULATORS",
    "Folder",
    "Job",
    "Result",
    "Script",
    "check_simulator",
    "run_jobs",
    "run_scripts",
    "simulate",
]
