"""What the hardware will do, still without any hardware.

:mod:`~fxhw.plan.design` has the parameters of an accelerator and every width derived from them,
:mod:`~fxhw.plan.schedule` lowers a network to steps, :mod:`~fxhw.plan.memory_map` places the
feature maps, :mod:`~fxhw.plan.program` packs steps into descriptors and parameters into beats,
:mod:`~fxhw.plan.external_map` does so in external memory,
:mod:`~fxhw.plan.cycles` estimates the cycles, :mod:`~fxhw.plan.registers` lists the registers and
:mod:`~fxhw.plan.compile` does it all.
"""

from .compile import ROW_WORDS, Plan, compile_network, design_for, estimate_network
from .conv_spec import STYLES, ConvSpec, choose_style
from .design import Design
from .registers import REGISTERS, ErrorCode

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
