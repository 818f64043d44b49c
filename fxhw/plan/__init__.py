"""What the hardware will do, still without any hardware.

:mod:`~fxhw.plan.design` has the parameters of an accelerator and every width derived from them,
:mod:`~fxhw.plan.sizing` finds the smallest ones for a network that :mod:`~fxhw.plan.support` lets
pass, and :mod:`~fxhw.plan.fit` says whether another network runs there.
:mod:`~fxhw.plan.schedule` lowers a network to steps, :mod:`~fxhw.plan.memory_map` places the
feature maps, :mod:`~fxhw.plan.external_map` does so in external memory,
:mod:`~fxhw.plan.descriptors` makes descriptors of steps, :mod:`~fxhw.plan.program` packs them and
:mod:`~fxhw.plan.parameters` the parameters into beats, :mod:`~fxhw.plan.cycles` estimates the
cycles, :mod:`~fxhw.plan.registers` lists the registers and :mod:`~fxhw.plan.compile` does it all.
"""

from .compile import Plan, compile_network, estimate_network
from .conv_spec import STYLES, ConvSpec, choose_style
from .design import Design
from .registers import REGISTERS, ErrorCode
from .sizing import ROW_WORDS, design_for

__all__ = [
    "REGISTERS",
    "ROW_WORDS",
    "STYLES",
    "ConvSpec",
    "Design",
    "ErrorCode",
    "Plan",
    "choose_style",
    "compile_network",
    "design_for",
    "estimate_network",
]
