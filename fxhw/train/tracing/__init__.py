"""A user's own torch module as this package's graph.

The module runs once on a random image while a recorder watches every torch function it calls.
Convolutions, batch-norms, ReLUs, poolings, upsamplings and concatenations become layers; whatever
else changes a feature map is refused.  Watching a run, instead of reading the code, leaves the
module free in how it is written: in nested modules or functional calls, in-place or not, with
sizes that it compares, crops or pads by.  At the end the recorded network computes the same image
again, and must come to the module's own result.

Read :mod:`~fxhw.train.tracing.values` (what a tensor can stand for), then
:mod:`~fxhw.train.tracing.recorder`, :mod:`~fxhw.train.tracing.operators` (what each torch function
makes of it) and :mod:`~fxhw.train.tracing.trace`, which puts them together.
"""

from .recorder import Parameters
from .topology import TracedTopology
from .trace import trace

__all__ = ["Parameters", "TracedTopology", "trace"]
