"""Size of a generated accelerator on real FPGA families, by Yosys.

:mod:`~fxhw.synth.targets` has the families and their cells, :mod:`~fxhw.synth.synthesize` runs the
synthesis, :mod:`~fxhw.synth.report` writes what came out.
"""

from .report import resource_rows, write_reports
from .synthesize import Resources, check_design, synthesize
from .targets import TARGETS, Target

__all__ = [
    "TARGETS",
    "Resources",
    "Target",
    "check_design",
    "resource_rows",
    "synthesize",
    "write_reports",
]
