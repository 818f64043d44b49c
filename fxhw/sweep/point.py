"""A point of the sweep, and the grid that the command line's lists span."""

import re
from dataclasses import asdict, dataclass
from itertools import product

from ..errors import FxhwError
from ..plan.conv_spec import BLOCK_STYLES
from .operands import Operands

__all__ = ["SCOPES", "Point", "parse_names", "parse_numbers", "span_grid"]

SCOPES = ("array", "accelerator")
"""What is synthesized: the MAC array with its accumulators, or the whole accelerator."""


@dataclass(frozen=True, order=True)
class Point:
    """One design to be measured.

    Parameters
    ----------
    target : FPGA family or part, as :func:`fxhw.synth.find_target` takes it.
    scope : one of :data:`SCOPES`.
    style : of the MAC arrays, one of :data:`fxhw.plan.STYLES`.
    pin, pout : channels in and out per cycle.
    wbits, abits, weights, activations : as of :class:`.operands.Operands`.
    pixels : pixels of a row per cycle, 1 or 2.
    """

    target: str
    scope: str
    style: str
    pin: int
    pout: int
    wbits: int
    abits: int
    weights: str = "fixed"
    activations: str = "unsigned"
    pixels: int = 1

    @property
    def operands(self) -> Operands:
        """What is multiplied."""
        return Operands(self.wbits, self.abits, self.weights, self.activations)

    @property
    def lanes(self) -> str:
        """``8x8``, channels in times channels out; of two pixels ``8x4x2``."""
        pixels = f"x{self.pixels}" if self.pixels > 1 else ""
        return f"{self.pin}x{self.pout}{pixels}"

    @property
    def name(self) -> str:
        """Name of its files and in messages."""
        return f"{self.target}_{self.scope}_{self.style}_{self.lanes}_{self.operands.name}"

    def to_json(self) -> dict:
        """JSON types only."""
        return asdict(self)


def span_grid(
    operands, targets, styles, accelerator_styles, pins, pouts, scopes=SCOPES, pixels=(1,)
) -> list[Point]:
    """Every combination, in a fixed order; accelerators in ``accelerator_styles`` alone.

    Two pixels per cycle are for the styles that make them.
    """
    points = [
        Point(target, scope, style, pin, pout, o.wbits, o.abits, o.weights, o.activations, n)
        for scope, target, pin, pout, n in product(scopes, targets, pins, pouts, pixels)
        for style in (styles if scope == "array" else accelerator_styles)
        if n == 1 or style in BLOCK_STYLES
        for o in operands
    ]
    return list(dict.fromkeys(points))


def parse_numbers(text: str, option: str, low: int, high: int) -> list[int]:
    """Numbers of a list of numbers and ranges, as ``1-4,6,8``, in rising order.

    Raises
    ------
    FxhwError naming ``option`` if ``text`` is anything else, or leaves ``low`` .. ``high``.
    """
    numbers = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,4})(?:\s*-\s*(\d{1,4}))?\s*", part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last or not low <= first <= last <= high:
            raise FxhwError(
                f"{option} must be numbers or ranges from {low} to {high}, as "
                f"{low}-{high} or {low},{high}, not {text!r}"
            )
        numbers.update(range(first, last + 1))
    return sorted(numbers)


def parse_names(text: str, option: str, known) -> list[str]:
    """Names of a comma-separated list, each one of ``known``.

    Raises
    ------
    FxhwError naming ``option``, the name and those known.
    """
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name not in known:
            raise FxhwError(f"{option} must be of {', '.join(known)}, not {name!r}")
    return list(dict.fromkeys(names))
