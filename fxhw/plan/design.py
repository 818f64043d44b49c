"""Parameters of an accelerator: what is fixed when it is generated."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields

from ..errors import FxhwError
from ..fixed import (
    MAX_MUL_BITS,
    Accumulator,
    ActivationFormat,
    FixedFormat,
    SignActivation,
    SignedActivation,
    TernaryActivation,
    WeightFormat,
)
from .bit_heap import HeapPlan
from .bursts import BurstSpec
from .conv_spec import BLOCK_STYLES, STYLES, ConvSpec
from .memory_banks import MemoryBanks, in_look_up_tables, plan_banks
from .packed_words import PackedWords
from .packing import packable
from .products import plan_dot_product
from .program import ActivationKind, WeightKind, format_field

__all__ = ["ACTIVATION_BITS", "WEIGHT_BITS", "Design"]

WEIGHT_BITS = {"fixed": (1, 8), "ternary": (2, 2), "power": (3, 7)}
"""Fewest and most bits of the main array's weights, by kind."""

ACTIVATION_BITS = {"unsigned": (1, 8), "signed": (1, 8), "ternary": (2, 2), "sign": (1, 1)}
"""Fewest and most bits of the activations, by kind."""

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
    "feature_words": (0, 1 << 28),
    "parameter_beats": (0, 1 << 28),
    "mul_bits": (0, MAX_MUL_BITS),
    "pixels": (1, 2),
    "dsps": (0, 1 << 15),
    "address_bits": (0, 64),
}

_REMEDIES = {
    "max_width": "segment the image in tiles",
    "max_height": "segment the image in tiles",
    "max_groups_in": "take more channels per cycle, --pin",
    "max_groups_out": "take more channels per cycle, --pout",
    "row_words": "take a narrower image or, with rows in strips of columns, --memory axi",
    "pool_words": "take a narrower image or, with rows in strips of columns, --memory axi",
    "weight_words": "take smaller tiles of channels, --weight-words",
    "feature_words": "keep feature maps in external memory, --memory axi",
}
"""Parameter -> what to do if a network needs more than there may be."""

_BUS_BITS = {"onchip": (32, 64, 128), "axi": (64, 128, 256), "wishbone": (64, 128, 256)}
"""Widths of the bus that brings parameters, by where the memory is."""

_LATER = {
    "mul_bits": 0,
    "style": "generic",
    "target": "generic",
    "weights": "fixed",
    "activations": "unsigned",
    "pixels": 1,
    "dsps": 0,
    "memory": "onchip",
    "address_bits": 0,
}
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
    feature_words : depth of the feature memory, in words of ``pin`` codes; 0 if it is external.
    parameter_beats : depth of the parameter memory, in beats of ``bus_bits``; 0 if it is external.
    bus_bits : width of the parameter bus: 32, 64 or 128; of the external memory's bus, which also
        brings the parameters: 64, 128 or 256.
    mul_bits : width of the requantizers' multipliers; 0 if they have none.
    style, target : how the MAC arrays are made and of which family's cells; see
        :data:`fxhw.plan.conv_spec.STYLES`.
    weights : kind of the main array's weights: ``fixed`` (of one bit: binary), ``ternary`` or
        ``power``, powers of two.
    activations : kind of the activations between layers: ``unsigned``, ``signed``, ``ternary`` or
        ``sign``.
    pixels : pixels of a row that the main array makes ``pout`` channels of per cycle: 1, or in
        the ``dsp`` and ``mixed`` styles 2, which fill multiplier blocks better.
    dsps : most multiplier blocks the main array may take, in the ``mixed`` style.
    memory : where feature maps, parameters and program lie: ``onchip``, or behind an AXI4 bus,
        ``axi``, or a Wishbone bus, ``wishbone``.
    address_bits : bits of an address of external memory, 32 to 64; 0 on chip.

    Raises
    ------
    FxhwError if a parameter is out of its range, or a kind does not come in its width.
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
    weights: str = "fixed"
    activations: str = "unsigned"
    pixels: int = 1
    dsps: int = 0
    memory: str = "onchip"
    address_bits: int = 0

    def __post_init__(self):
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                remedy = f"; {_REMEDIES[name]}" if value > high and name in _REMEDIES else ""
                raise FxhwError(
                    f"Design parameter {name} must lie in {low} .. {high}, not {value}{remedy}"
                )
        self._check_memory()
        if self.style not in STYLES:
            raise FxhwError(
                f"Design parameter style must be one of {', '.join(STYLES)}, not {self.style}"
            )
        if self.target not in STYLES[self.style]:
            raise FxhwError(
                f"Design parameter target must be one of {', '.join(STYLES[self.style])} for the "
                f"{self.style} style, not {self.target}"
            )
        self._check_kind("weights", self.weights, "wbits", self.wbits, WEIGHT_BITS)
        self._check_kind("activations", self.activations, "abits", self.abits, ACTIVATION_BITS)
        self._check_blocks()
        for engine in (self.front, self.main):
            try:
                _ = engine.requantize
            except ValueError as error:
                raise FxhwError(
                    f"Design with {engine.weight.name} weights, {engine.activation.name} "
                    f"activations, {engine.max_groups_in} input groups of {engine.lanes_in} "
                    f"channels and multipliers of {self.mul_bits} bits has sums too wide for its "
                    f"requantizer ({error}); take fewer bits"
                ) from error

    def _check_memory(self) -> None:
        """Memories that are on chip have a size, external ones have addresses."""
        if self.memory not in _BUS_BITS:
            raise FxhwError(
                f"Design parameter memory must be one of {', '.join(_BUS_BITS)}, not {self.memory}"
            )
        widths = _BUS_BITS[self.memory]
        if self.bus_bits not in widths:
            *first, last = map(str, widths)
            raise FxhwError(
                f"Design parameter bus_bits must be {', '.join(first)} or {last} with "
                f"{self.memory} memory, not {self.bus_bits}"
            )
        external = self.external
        for name in ("feature_words", "parameter_beats"):
            if (getattr(self, name) == 0) != external:
                wanted = "0" if external else "1 or more"
                raise FxhwError(
                    f"Design parameter {name} must be {wanted} with {self.memory} memory, not "
                    f"{getattr(self, name)}"
                )
        if (32 <= self.address_bits) != external:
            wanted = "32 .. 64" if external else "0"
            raise FxhwError(
                f"Design parameter address_bits must be {wanted} with {self.memory} memory, not "
                f"{self.address_bits}"
            )

    def _check_blocks(self) -> None:
        """What only arrays of multiplier blocks can have, and what they cannot do."""
        if self.style not in BLOCK_STYLES:
            if self.pixels != 1:
                raise FxhwError(
                    f"Design parameter pixels must be 1 for the {self.style} style, not "
                    f"{self.pixels}; take the {' or '.join(BLOCK_STYLES)} style"
                )
        elif not packable(self.weight, self.activation):
            raise FxhwError(
                f"Design parameter style must be generic or lut for {self.weight.name} weights "
                f"and {self.activation.name} activations, not {self.style}: multiplier blocks "
                "take fixed or ternary weights and unsigned activations"
            )
        if self.dsps and self.style != "mixed":
            raise FxhwError(
                f"Design parameter dsps must be 0 for the {self.style} style, not {self.dsps}; "
                "the mixed style keeps to a number of multiplier blocks"
            )

    @staticmethod
    def _check_kind(what: str, kind: str, name: str, bits: int, known: dict) -> None:
        if kind not in known:
            raise FxhwError(
                f"Design parameter {what} must be one of {', '.join(known)}, not {kind}"
            )
        low, high = known[kind]
        if not low <= bits <= high:
            wanted = f"lie in {low} .. {high}" if low < high else f"be {low}"
            raise FxhwError(
                f"Design parameter {name} must {wanted} for {kind} {what}, not {bits}"
            )

    @property
    def weight(self) -> WeightFormat:
        """Format of the main array's weights."""
        return WeightFormat(self.wbits, self.weights)

    @property
    def activation(self) -> FixedFormat:
        """Format of the activations between layers; its ``frac`` plays no part."""
        if self.activations == "ternary":
            return TernaryActivation()
        if self.activations == "sign":
            return SignActivation()
        linear = SignedActivation if self.activations == "signed" else ActivationFormat
        return linear(self.abits)

    @property
    def external(self) -> bool:
        """Whether feature maps, parameters and program lie in an external memory."""
        return self.memory != "onchip"

    @property
    def codes(self) -> str:
        """Weights and activations in words: ``4-bit weights, 6-bit activations``.

        Kinds are named but for fixed and unsigned ones, as ``5-bit power weights``.
        """
        first = {"weights": "fixed", "activations": "unsigned"}
        parts = []
        for what, bits in (("weights", self.wbits), ("activations", self.abits)):
            kind = getattr(self, what)
            named = "" if kind == first[what] else f"{kind} "
            parts.append(f"{bits}-bit {named}{what}")
        return ", ".join(parts)

    @property
    def weight_field(self) -> int:
        """Kind and width of the weights, as descriptors hold them."""
        return format_field(WeightKind[self.weights.upper()], self.wbits)

    @property
    def activation_field(self) -> int:
        """Kind and width of the activations, as descriptors hold them."""
        return format_field(ActivationKind[self.activations.upper()], self.abits)

    @property
    def main(self) -> ConvSpec:
        """The main convolution engine."""
        return ConvSpec(
            weight=self.weight,
            activation=self.activation,
            out=self.activation,
            lanes_in=self.pin,
            lanes_out=self.pout,
            max_groups_in=self.max_groups_in,
            max_groups_out=self.max_groups_out,
            row_words=self.row_words,
            weight_words=self.weight_words,
            mul_bits=self.mul_bits,
            style=self.style,
            target=self.target,
            pixels=self.pixels,
            dsps=self.dsps,
            may_exceed=True,
        )

    @property
    def front(self) -> ConvSpec:
        """The first layer's engine: one image channel in, ``pin`` channels out per cycle.

        Multiplier blocks are for the main array: with one channel, it makes do with adders.
        """
        style, target = self.style, self.target
        if style in BLOCK_STYLES:
            style, target = "lut", target if target in STYLES["lut"] else "generic"
        return ConvSpec(
            weight=WeightFormat(self.first_wbits),
            activation=FixedFormat(self.ibits),
            out=self.activation,
            lanes_in=1,
            lanes_out=self.pin,
            max_groups_in=self.image_channels,
            max_groups_out=self.front_groups,
            row_words=self.max_width * self.image_channels,
            weight_words=self.image_channels * self.front_groups,
            mul_bits=self.mul_bits,
            style=style,
            target=target,
            may_exceed=True,
        )

    @property
    def head_weight(self) -> WeightFormat:
        """Format of the head's weights."""
        return WeightFormat(self.last_wbits)

    @property
    def head_accumulator(self) -> Accumulator:
        """Range of the head's dot products, before the bias."""
        return Accumulator(self.head_weight, self.activation, self.pout * self.head_groups)

    @property
    def head_dot_product(self) -> HeapPlan | None:
        """The adders of a word's products in the head; None leaves them to the synthesizer."""
        front = self.front
        if front.style == "generic":
            return None
        return plan_dot_product(self.head_weight, self.activation, self.pout, front.target)

    @property
    def head_latency(self) -> int:
        """Register stages of the head's dot product."""
        plan = self.head_dot_product
        return plan.latency if plan is not None else 1

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
    def feature_banks(self) -> MemoryBanks:
        """The feature memory's banks."""
        return plan_banks(self.feature_words, self.feature_bits, self.target)

    @property
    def parameter_banks(self) -> MemoryBanks:
        """The parameter memory's banks."""
        return plan_banks(self.parameter_beats, self.bus_bits, self.target)

    @property
    def packed(self) -> PackedWords:
        """How feature map words lie in external memory."""
        return PackedWords(self.feature_bits, self.bus_bits)

    @property
    def bursts(self) -> BurstSpec:
        """The external memory's bus and its bursts."""
        return BurstSpec(self.bus_bits // 8, address_bits=self.address_bits)

    @property
    def pool_in_lut_ram(self) -> bool:
        """Whether the pooling row lies in look-up tables."""
        return in_look_up_tables(self.pool_words, self.target)

    @property
    def max_words_out(self) -> int:
        """Most feature memory words that a step makes of a pixel."""
        return -(-self.max_groups_out * self.pout // self.pin)

    @property
    def macs_per_cycle(self) -> int:
        """Multiply-accumulates the main array can do in a cycle."""
        return self.main.macs_per_cycle

    @property
    def memory_bits(self) -> dict[str, int]:
        """Bits of each on-chip memory."""
        main, front = self.main, self.front
        stored = {
            "features": self.feature_words * self.feature_bits,
            "parameters": self.parameter_beats * self.bus_bits,
        }
        return ({} if self.external else stored) | {
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

        So a design without multipliers, of the ``generic`` style and for fixed weights and
        unsigned activations has the digest, and therefore the Verilog, that it always had.
        """
        entry = asdict(self)
        return {name: v for name, v in entry.items() if _LATER.get(name) != v}

    @classmethod
    def from_json(cls, entry: dict) -> "Design":
        """The inverse of :meth:`to_json`."""
        entry = {**_LATER, **entry}
        return cls(**{f.name: f.type(entry[f.name]) for f in fields(cls)})
