"""Measurements that points are put together from; each stands by itself.

A job can be sent to another process or machine.  Its recipe says all that its result depends on,
so equal keys mean equal results and a result once stored is never made again.
"""

import hashlib
import json
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from ..dice import score
from ..emit import write_block, write_bundle
from ..emit.sources import fingerprint
from ..errors import FxhwError
from ..golden import run_network
from ..graph import Network
from ..images import image_codes
from ..plan import STYLES, Plan, compile_network, design_for
from ..plan.conv_spec import BLOCK_STYLES
from ..synth import Resources, content, find_target, synthesize
from .operands import Operands
from .point import Point
from .stand_in import give_operands
from .work import count_work

__all__ = [
    "DiceJob",
    "Job",
    "PlanJob",
    "SynthesisJob",
    "plan_accelerator",
    "plan_point",
]


@dataclass(frozen=True, kw_only=True)
class Job(ABC):
    """One measurement.

    Parameters
    ----------
    name : in messages and of its log.
    recipe : JSON types: all that the result depends on, beside the code.
    code : fingerprint of the code that is meant to run it.
    """

    SOURCES: ClassVar[tuple[str, ...]] = ()
    """Parts of the package that the result depends on."""

    name: str
    recipe: dict
    code: str = ""

    def __post_init__(self):
        object.__setattr__(self, "code", self.code or fingerprint(self.SOURCES))

    @property
    def key(self) -> str:
        """Name of the result's content."""
        text = json.dumps([type(self).__name__, self.recipe, self.code], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def cost(self) -> float:
        """About how many seconds it takes."""
        return 1.0

    def run(self, known: frozenset[str] = frozenset()) -> dict:
        """Its result, JSON types only.

        Parameters
        ----------
        known : contents that need no synthesis, see :class:`SynthesisJob`.

        Raises
        ------
        FxhwError if it cannot be had, or if this is other code than the job was made by.
        """
        if self.code != fingerprint(self.SOURCES):
            raise FxhwError(
                f"Job {self.name} was made by other sources of fxhw than those it found where it "
                "ran; install the same version on all machines, or leave it alone while it runs"
            )
        return self._run(known)

    @abstractmethod
    def _run(self, known: frozenset[str]) -> dict:
        """The result."""


_TOP = "fxhw_top"
"""Name of every design, so that equal designs have equal Verilog."""

_NETWORK_SOURCES = ("errors", "fixed", "graph", "golden", "quantize")
_PLAN_SOURCES = (
    *_NETWORK_SOURCES, "plan", "synth", "sweep/jobs", "sweep/operands", "sweep/stand_in"
)


@dataclass(frozen=True, kw_only=True)
class PlanJob(Job):
    """Cycles, memories and work per image of a point.

    Result: ``cycles``; ``macs``, ``macs_per_cycle`` and ``utilization`` (0 .. 1) of the main array;
    ``memory_bits`` by memory, and ``work`` as of :meth:`.energy.Work.to_json`.
    """

    SOURCES: ClassVar = (*_PLAN_SOURCES, "sweep/work")

    network: Network = field(repr=False)
    point: Point

    def _run(self, known):
        network, plan = plan_point(self.network, self.point)
        return {
            "cycles": plan.estimate.total,
            "macs": plan.estimate.macs,
            "macs_per_cycle": plan.design.macs_per_cycle,
            "utilization": round(plan.estimate.utilization, 6),
            "memory_bits": plan.design.memory_bits,
            "work": count_work(network, plan).to_json(),
        }


@dataclass(frozen=True, kw_only=True)
class SynthesisJob(Job):
    """What a point takes on its target, or what its array takes with ``lanes`` output lanes alone.

    Result: ``content``, a hash of the Verilog, the memories' contents, the synthesis command and
    the tools' versions; and, unless that content is among those known, ``classes`` and ``cells``
    as of :class:`fxhw.synth.Resources`.
    """

    SOURCES: ClassVar = (*_PLAN_SOURCES, "checkpoint", "gateware", "emit")

    network: Network = field(repr=False)
    point: Point
    lanes: int

    @property
    def cost(self) -> float:
        # Measured on one core; what matters is that the longest start first.
        point = self.point
        macs = 9 * point.pin * self.lanes * point.pixels
        bits = macs * (point.wbits * point.abits + 4) / 1000
        if point.scope == "accelerator":
            return 30 + 5 * bits
        return 1.5 + bits * (1 if point.style == "lut" else 3)

    def _run(self, known):
        target = find_target(self.point.target)
        with tempfile.TemporaryDirectory(prefix="fxhw-") as temporary:
            folder = Path(temporary) / "design"
            self._generate(folder)
            # The other styles are there to do without multiplier blocks.
            dsp = self.point.style in BLOCK_STYLES
            made = content(folder, target, dsp)
            if made in known:
                return {"content": made}
            resources = synthesize(folder, target, dsp=dsp)
        return {"content": made} | _counts(resources)

    def _generate(self, folder: Path) -> None:
        network, plan = plan_point(self.network, self.point)
        if self.point.scope == "accelerator":
            write_bundle(network, plan, folder, top=_TOP)
        else:
            from ..gateware.accumulating_array import AccumulatingArray

            # As the accelerator has it: its sums may exceed, its adders are those of all lanes.
            main = plan.design.main
            spec = replace(main, lanes_out=self.lanes, planned_lanes=main.lanes_out)
            write_block(
                "accumulating-array", replace(plan.design, pout=self.lanes), folder, top=_TOP,
                component=AccumulatingArray(spec),
            )


@dataclass(frozen=True, kw_only=True)
class DiceJob(Job):
    """Dice of the network at other widths, not trained for them, by the golden model.

    Result: ``foreground`` and ``background``, means over the whole images in percent.
    """

    SOURCES: ClassVar = (*_NETWORK_SOURCES, "dice", "images")

    network: Network = field(repr=False)
    operands: Operands
    samples: tuple = field(repr=False)

    @property
    def cost(self) -> float:
        return 4.0 * len(self.samples)

    def _run(self, known):
        network = give_operands(self.network, self.operands)
        masks = (
            run_network(network, network.prepare(image_codes(sample.image, network.image)))[0]
            for sample in self.samples
        )
        labels = [sample.label for sample in self.samples]
        foreground, background = score(masks, labels, [s.group for s in self.samples]).slices
        return {"foreground": foreground, "background": background}


def plan_point(network: Network, point: Point) -> tuple[Network, Plan]:
    """``network`` with a point's operands, and its plan on the point's accelerator."""
    network = give_operands(network, point.operands)
    return network, plan_accelerator(network, point)


def plan_accelerator(network: Network, point: Point) -> Plan:
    """Plan of a ``network`` that has a point's operands.

    The style ``mixed`` may use every multiplier block of the part.
    """
    target = find_target(point.target)
    cells = target.family if target.family in STYLES[point.style] else "generic"
    blocks = (target.capacity or {}).get("DSP", 0) if point.style == "mixed" else 0
    design = design_for(
        network, point.pin, point.pout, style=point.style, target=cells, pixels=point.pixels,
        dsps=blocks,
    )
    return compile_network(network, design)


def _counts(resources: Resources) -> dict:
    return {"classes": dict(resources.classes), "cells": dict(resources.cells)}
