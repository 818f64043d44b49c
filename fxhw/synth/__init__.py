"""Size and speed of a generated accelerator on real FPGAs, and its size in gates.

:mod:`~fxhw.synth.families` has the cells of families, :mod:`~fxhw.synth.targets` the parts and
their capacity.  :mod:`~fxhw.synth.synthesize` runs Yosys, :mod:`~fxhw.synth.netlist` holds what it
made and :mod:`~fxhw.synth.blocks` divides that among the blocks of the design;
:mod:`~fxhw.synth.fit` compares it with the part.  :mod:`~fxhw.synth.nextpnr` places and routes,
with a :mod:`~fxhw.synth.harness` where there are too few pins; :mod:`~fxhw.synth.timing` reads what
it found into a :mod:`~fxhw.synth.placement`.  :mod:`~fxhw.synth.report` and
:mod:`~fxhw.synth.picture` show it all.
"""

from .fit import luts_per_mac, misfit, shares
from .report import resource_rows, write_reports
from .synthesize import Resources, check_design, content, synthesize
from .targets import TARGETS, Target, find_target

__all__ = [
    "TARGETS",
    "Resources",
    "Target",
    "check_design",
    "content",
    "find_target",
    "luts_per_mac",
    "misfit",
    "resource_rows",
    "shares",
    "synthesize",
    "write_reports",
]
