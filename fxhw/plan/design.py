"""Parameters of an accelerator: what is fixed when it is generated."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields

from ..errors import FxhwError
from ..fixed import MAX_MUL_BITS, Accumulator, ActivationFormat, FixedFormat, WeightFormat
from .conv_spec import STYLES, ConvSpec

__all__ = ["Design"]

_RANGES = {
    "wbits": (1, 8),
    "abits": (1, 8),
    "pin": (1, 16),
    "pout": (1, 16),
    "ibits": (1, 8),
    "first_wbits": (1, 8),
    "last_wbits": (1, 8),
    "image_channels": (1, 16),
    "max_width": (1, 4096),
    "max_height": (1, 4096),
    "max_groups_in": (1, 1024),
    "max_groups_out": (1, 1024),
    "front_groups": (1, 1024),
    "head_groups": (1, 1024),
    "row_words": (1, 1 << 15),
    "pool_words": (1, 1 << 15),
    "weight_words": (1, 1 << 15),
    "feature_words": (1, 1 << 28),
    "parameter_beats": (1, 1 << 28),
    "mul_bits": (0, MAX_MUL_BITS),
}

_LATER = {"mul_bits": 0, "style": "generic", "target": "generic"}
"""Parameters that designs did not always have, and what those were without them."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """An accelerator's parameters.  Any network within the maxima runs on it as a program.

    Parameters
    ----------
    wbits, abits : widths of weights and activations on the main array.
    pin, pout : input and output channels the main array takes and makes per cycle.
    ibits : width of the image's codes.
    first_wbits, last_wbits : weight widths of the first convolution and of the head.
    image_channels : most channels of the image.
    max_width, max_height : largest image, in pixels.
    max_groups_in : most input groups (of ``pin`` channels) of a layer.
    max_groups_out : most output groups (of ``pout`` channels) of a step.
    front_groups : most output groups (of ``pin`` channels) of the first convolution.
    head_groups : most input groups (of ``pout`` channels) of the head.
    row_words : depth of the main line buffer, in words of ``pin`` codes.
    pool_words : depth of the pooling row memory, in words of ``pout`` codes.
    weight_words : weight words of a step, half the weight store.
    feature_words : depth of the feature memory, in words of ``pin`` codes.
    parameter_beats : depth of the parameter memory, in beats of ``bus_bits``.
    bus_bits : width of the parameter bus: 32, 64 or 128.
    mul_bits : width of the requantizers' multipliers; 0 if they have none.
    style, target : how the MAC arrays are made and of which family's cells; see
        :data:`fxhw.plan.conv_spec.STYLES`.

    Raises
    ------
    FxhwError if a parameter is out of its range.
    """

    wbits: int
    abits: int
    pin: int = 8
    pout: int = 8
    ibits: int = 8
    first_wbits: int = 8
    last_wbits: int = 8
    image_channels: int = 1
    max_width: int
    max_height: int
    max_groups_in: int
    max_groups_out: int
    front_groups: int
    head_groups: int
    row_words: int
    pool_words: int
    weight_words: int
    feature_words: int
    parameter_beats: int
    bus_bits: int = 64
    mul_bits: int = 0
    style: str = "generic"
    target: str = "generic"

    def __post_init__(self):
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise FxhwError(
                    f"Design parameter {name} must lie in {low} .. {high}, not {value}"
                )
        if self.bus_bits not in (32, 64, 128):
            raise FxhwError(f"Design parameter bus_bits must be 32, 64 or 128, not {self.bus_bits}")
        if self.style not in STYLES:
            raise FxhwError(
                f"Design parameter style must be one of {', '.join(STYLES)}, not {self.style}"
            )
        if self.target not in STYLES[self.style]:
            raise FxhwError(
                f"Design parameter target must be one of {', '.join(STYLES[self.style])} for the "
                f"{self.style} style, not {self.target}"
            )

    @property
    def main(self) -> ConvSpec:
        """The main convolution engine."""
        return ConvSpec(
            weight=WeightFormat(self.wbits),
            activation=ActivationFormat(self.abits),
            out=ActivationFormat(self.abits),
            lanes_in=self.pin,
            lanes_out=self.pout,
            max_groups_in=self.max_groups_in,
            max_groups_out=self.max_groups_out,
            row_words=self.row_words,
            weight_words=self.weight_words,
            mul_bits=self.mul_bits,
            style=self.style,
            target=self.target,
        )

    @property
    def front(self) -> ConvSpec:
        """The first layer's engine: one image channel in, ``pin`` channels out per cycle."""
        return ConvSpec(
            weight=WeightFormat(self.first_wbits),
            activation=FixedFormat(self.ibits),
            out=ActivationFormat(self.abits),
            lanes_in=1,
            lanes_out=self.pin,
            max_groups_in=self.image_channels,
            max_groups_out=self.front_groups,
            row_words=self.max_width * self.image_channels,
            weight_words=self.image_channels * self.front_groups,
            mul_bits=self.mul_bits,
            style=self.style,
            target=self.target,
        )

    @property
    def head_weight(self) -> WeightFormat:
        """Format of the head's weights."""
        return WeightFormat(self.last_wbits)

    @property
    def head_accumulator(self) -> Accumulator:
        """Range of the head's dot products, before the bias."""
        return Accumulator(
            self.head_weight, ActivationFormat(self.abits), self.pout * self.head_groups
        )

    @property
    def head_bias(self) -> FixedFormat:
        """Format of the head's bias: as wide as its accumulator."""
        return self.head_accumulator.format

    @property
    def logit(self) -> FixedFormat:
        """Format of the logits."""
        return FixedFormat(self.head_accumulator.width + 1, 0, signed=True)

    @property
    def logit_bytes(self) -> int:
        """Bytes of a logit on the output stream, when logits are asked for."""
        return -(-self.logit.width // 8)

    @property
    def head_word_bits(self) -> int:
        """Bits of one head weight word: the weights of ``pout`` channels."""
        return self.pout * self.last_wbits

    @property
    def feature_bits(self) -> int:
        """Bits of one feature memory word: ``pin`` codes."""
        return self.pin * self.abits

    @property
    def macs_per_cycle(self) -> int:
        """Multiply-accumulates the main array can do in a cycle."""
        return self.main.macs_per_cycle

    @property
    def memory_bits(self) -> dict[str, int]:
        """Bits of each on-chip memory."""
        main, front = self.main, self.front
        return {
            "features": self.feature_words * self.feature_bits,
            "parameters": self.parameter_beats * self.bus_bits,
            "weight store": 2
            * (
                main.weight_words * main.weight_bits
                + main.max_groups_out * main.requantize_bits
            )
            + front.weight_words * front.weight_bits
            + front.max_groups_out * front.requantize_bits
            + self.head_groups * self.head_word_bits,
            "line buffers": 2 * (main.row_words * main.word_bits + front.row_words * self.ibits),
            "pooling row": self.pool_words * main.out_bits,
        }

    @property
    def digest(self) -> str:
        """Content hash (hex) of the parameters; its first 32 bits stand in a register."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict:
        """All parameters as JSON types, but for later ones that have their first value.

        So a design without multipliers and of the ``generic`` style has the digest, and therefore
        the Verilog, that it always had.
        """
        entry = asdict(self)
        return {name: v for name, v in entry.items() if _LATER.get(name) != v}

    @classmethod
    def from_json(cls, entry: dict) -> "Design":
        """The inverse of :meth:`to_json`."""
        entry = {**_LATER, **entry}
        return cls(**{f.name: f.type(entry[f.name]) for f in fields(cls)})
