"""A draft's real numbers as the integers of a network."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..errors import FxhwError
from ..fixed import FixedFormat, Requantize, WeightFormat
from ..graph import Concat, Conv, Head, MaxPool, UNetTopology, Upsample
from .draft import Draft, DraftConv, DraftLink, Quantizer
from .scales import fixed_scale, sum_range

__all__ = ["LayerImport", "Resolved", "resolve"]


_FAR = 0.4
"""Relative error that is more than that of the nearest power of two."""


@dataclass(frozen=True)
class LayerImport:
    """How closely a layer's integers follow the model's real numbers.

    Parameters
    ----------
    name : layer.
    multiplier : whether it has multipliers.
    scale_error : largest relative error of a channel's scale.
    step_error : most that this shifts a result within its range, in steps of the result.
    ties : whether halves, that the model rounds otherwise, round up here.
    """

    name: str
    multiplier: bool
    scale_error: float
    step_error: float
    ties: bool


@dataclass(frozen=True)
class Resolved:
    """The network's parts.

    Parameters
    ----------
    image : format of the image.
    ops : operators.
    layers : of every convolution.
    scales : tensor -> real value of one step of its codes, of every convolution and the head.
    tensors : the model's names of those tensors.
    notes : what is not as in the model, one sentence each.
    """

    image: FixedFormat
    ops: tuple
    layers: tuple[LayerImport, ...]
    scales: dict[str, float]
    tensors: dict[str, str]
    notes: tuple[str, ...]


def resolve(draft: Draft, mul_bits: int, facts: dict) -> Resolved:
    """The integers of ``draft``.

    Parameters
    ----------
    mul_bits : widest multiplier; with 0 every scale becomes a power of two.
    facts : of an exported model, what its numbers alone do not say: ``weights`` (layer -> bits
        and kind) and ``multipliers`` (layer -> one per channel).  Without, the layers of a U-Net
        get their usual names.

    Raises
    ------
    FxhwError if two formats cannot be made one, or weights do not fit, naming the layer.
    """
    return _Resolve(draft, mul_bits, facts).result(rename=not facts)


class _Resolve:
    def __init__(self, draft: Draft, mul_bits: int, facts: dict):
        self.draft = draft
        self.mul_bits = mul_bits
        self.weights = facts.get("weights", {})
        self.multipliers = facts.get("multipliers", {})
        self.notes = []
        self.ops = _reachable(draft.ops)
        self.group = self.groups()
        self.formats = {group: self.common(group) for group in dict.fromkeys(self.group.values())}
        self.layers = []

    def result(self, rename: bool) -> Resolved:
        names = _usual_names(self.ops) if rename else None
        if names:
            order = list(names)
            self.ops = sorted(self.ops, key=lambda op: order.index(op.output))
        else:
            names = {op.output: (op.name, op.output) for op in self.ops}
        tensor = {"image": "image"} | {output: names[output][1] for output in names}
        built, scales, tensors = [], {}, {}
        for op in self.ops:
            name = names[op.output][0]
            if isinstance(op, DraftLink):
                built.append(self.link(op, name, tensor))
                continue
            made = self.head(op, name, tensor) if op.out is None else self.conv(op, name, tensor)
            built.append(made)
            tensors[made.output] = self.draft.tensors[op.output]
            if op.out is None:
                scales[made.output] = self.quantizer(op.input).scale * float(abs(op.gain[0]))
            else:
                scales[made.output] = self.quantizer(op.output).scale
        ties = [layer.name for layer in self.layers if layer.ties]
        if ties:
            self.notes.append(
                f"Results exactly half way between two codes round up, in the model otherwise: "
                f"{', '.join(ties)}"
            )
        image = self.format("image")
        return Resolved(image, tuple(built), tuple(self.layers), scales, tensors,
                        tuple(self.notes))

    # Formats.

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Tensor -> the tensors that share its format, in order of making."""
        group = {"image": ("image",)}
        for op in self.ops:
            group[op.output] = (op.output,)
            for name in op.inputs if isinstance(op, DraftLink) else ():
                if group[name] != group[op.output]:
                    joined = group[name] + group[op.output]
                    group |= dict.fromkeys(joined, joined)
        return group

    def common(self, group: tuple[str, ...]) -> Quantizer | None:
        """The quantizer of all of ``group``, None of the logit."""
        made = {op.output: op.out for op in self.ops if isinstance(op, DraftConv)}
        made["image"] = self.draft.image
        members = {name: made[name] for name in group if made.get(name)}
        if not members:
            return None
        own = list(members.values())
        for name in group:
            for node, wanted in self.draft.wanted.get(name, ()):
                if not all(_keeps(wanted, quantizer) for quantizer in own):
                    members[f"node {node}"] = wanted
        quantizers = list(members.values())
        first = quantizers[0]
        if all((q.scale, q.bits, q.kind) == (first.scale, first.bits, first.kind)
               for q in quantizers):
            return first
        return self.merged(members)

    def merged(self, members: dict[str, Quantizer]) -> Quantizer:
        """One quantizer for tensors that have different ones: its range covers all of them."""
        shown = ", ".join(f"{name} ({q.kind}, {q.bits} bits, step {q.scale:.6g})"
                          for name, q in members.items())
        kinds = {q.kind for q in members.values()}
        if len(kinds) > 1 or kinds & {"sign", "ternary"} or "image" in members:
            raise FxhwError(
                f"Tensors that are concatenated or quantized again must share one format, but are "
                f"{shown}; give them one quantizer"
            )
        quantizers = list(members.values())
        bits = max(q.bits for q in quantizers)
        widest = max(quantizers, key=lambda q: (q.scale * q.max, q.bits))
        top = Quantizer(1.0, bits, widest.kind).max
        scale = widest.scale if widest.bits == bits else widest.scale * widest.max / top
        self.notes.append(
            f"Tensors that share one format get {bits} bits of step {scale:.6g}; they are {shown}"
        )
        return Quantizer(scale, bits, widest.kind)

    def quantizer(self, tensor: str) -> Quantizer:
        return self.formats[self.group[tensor]]

    def format(self, tensor: str) -> FixedFormat:
        quantizer = self.quantizer(tensor)
        if quantizer.kind == "sign":
            return FixedFormat(1, 0, True, "sign")
        signed = quantizer.kind != "unsigned"
        codes = "ternary" if quantizer.kind == "ternary" else "linear"
        return FixedFormat(quantizer.bits, _frac(quantizer.scale), signed, codes)

    # Operators.

    def link(self, op: DraftLink, name: str, tensor: dict):
        inputs, output = tuple(tensor[n] for n in op.inputs), tensor[op.output]
        if op.kind == "MaxPool":
            return MaxPool(name, inputs[0], output)
        if op.kind == "Concat":
            return Concat(name, inputs, output)
        return Upsample(name, inputs[0], output, tensor[self.like(op)])

    def like(self, op: DraftLink) -> str:
        """A tensor of the size that ``op`` upsamples to: preferably what it is joined with."""
        before = ["image"]
        for other in self.ops:
            if other is op:
                break
            before.append(other.output)
        for other in self.ops:
            joins = isinstance(other, DraftLink) and other.kind == "Concat"
            if joins and op.output in other.inputs:
                partner = other.inputs[1 - other.inputs.index(op.output)]
                if partner in before:
                    return partner
        size = self.draft.shapes[op.output][1:]
        for name in reversed(before):
            if self.draft.shapes[name][1:] == size:
                return name
        raise FxhwError(
            f"Layer {op.name} upsamples to {size[0]}x{size[1]}, which no tensor before it has"
        )

    def conv(self, op: DraftConv, name: str, tensor: dict) -> Conv:
        source, result = self.format(op.input), self.format(op.output)
        quantizer = self.quantizer(op.output)
        step_in, step_out = self.quantizer(op.input).scale, quantizer.scale
        codes, gain = _positive(op.codes, op.gain)
        lows, highs = sum_range(codes, source)
        rounding = "HALF_UP" if op.out.rounding == "HALF_EVEN" else op.out.rounding
        noted = self.multipliers.get(op.name)
        fracs, biases, multipliers = [], [], []
        scale_error = step_error = 0.0
        ties = False
        for channel in range(len(codes)):
            scale = step_in * float(gain[channel])
            offset = float(op.offset[channel])
            if scale == 0:
                codes, scale = _silent(codes, channel, op), step_out
            factor = int(noted[channel]) if noted else 0
            if result.codes == "sign":
                unit = scale / max(factor, 1)
                fracs.append(_frac(unit) - source.frac)
                biases.append(math.floor(Fraction(offset) / Fraction(unit)))
                multipliers.append(max(factor, 1))
                continue
            scale, offset = scale / step_out, offset / step_out
            reach = [
                min(max((end - offset) / scale, float(lows[channel])), float(highs[channel]))
                for end in (result.min, result.max)
            ]
            fixed = fixed_scale(scale, offset, rounding, self.mul_bits, tuple(reach), factor)
            if fixed.scale_error > _FAR and fixed.step_error > 0.5:
                raise FxhwError(
                    f"Layer {name}, channel {channel}: a step of its sums is {scale:.4g} steps of "
                    f"its result, which no multiplier of {self.mul_bits} bits comes near to"
                )
            fracs.append(fixed.shift + result.frac - source.frac)
            biases.append(fixed.bias - int(Requantize.rounding_bias(fixed.shift)))
            multipliers.append(fixed.multiplier)
            scale_error = max(scale_error, fixed.scale_error)
            step_error = max(step_error, fixed.step_error)
            # Of codes of either sign, QONNX rounds halves toward or away from 0.
            ties |= fixed.ties and (op.out.rounding == "HALF_EVEN" or result.signed)
        multiplier = np.array(multipliers, np.int64)
        if set(multipliers) == {1} and not noted:
            multiplier = None
        self.layers.append(LayerImport(name, multiplier is not None, scale_error, step_error, ties))
        weight = self.weight(op, codes)
        return Conv(
            name, tensor[op.input], tensor[op.output], weight, codes.astype(weight.dtype),
            np.array(fracs, np.int64), _int64(name, biases), result, multiplier,
        )

    def head(self, op: DraftConv, name: str, tensor: dict) -> Head:
        source = self.format(op.input)
        codes, gain = _positive(op.codes, op.gain)
        scale = self.quantizer(op.input).scale * float(gain[0])
        offset = float(op.offset[0])
        if scale == 0:
            codes, scale = _silent(codes, 0, op), abs(offset) or 1.0
        bias = math.floor(Fraction(offset) / Fraction(scale))
        weight = self.weight(op, codes)
        codes = codes[0, :, 0, 0].astype(weight.dtype)
        bias = int(_int64(name, [bias])[0])
        frac = _frac(scale) - source.frac
        return Head(name, tensor[op.input], tensor[op.output], weight, codes, frac, bias)

    def weight(self, op: DraftConv, codes: np.ndarray) -> WeightFormat:
        """The format of ``op``'s weights, a bit wider where one had to change its sign."""
        bits, kind = self.weights.get(op.name, (op.bits, op.kind))
        try:
            noted = WeightFormat(int(bits), kind if kind != "binary" else "fixed")
            if noted.contains(codes):
                return noted
            widened = WeightFormat(op.bits + 1)
        except ValueError as error:
            raise FxhwError(f"Layer {op.name} has weights that do not fit ({error})") from error
        if not widened.contains(codes):
            raise FxhwError(
                f"Layer {op.name} has weight codes {codes.min()} .. {codes.max()}, "
                f"which are not {noted.name}"
            )
        return widened


def _int64(name: str, values: list[int]) -> np.ndarray:
    for channel, value in enumerate(values):
        if abs(value) >= 1 << 48:
            raise FxhwError(
                f"Layer {name}, channel {channel}: the bias is {value} steps of its sums, but its "
                "magnitude must stay below 2**48; the channel's scale is too small"
            )
    return np.array(values, np.int64)


def _frac(scale: float) -> int:
    """Fraction bits of the power of two nearest to ``scale``."""
    return -round(math.log2(scale))


def _keeps(wanted: Quantizer, made: Quantizer) -> bool:
    """Whether ``wanted`` leaves every value that ``made`` makes as it is."""
    if (wanted.kind == "sign") != (made.kind == "sign"):
        return False
    return wanted.scale == made.scale and wanted.min <= made.min and made.max <= wanted.max


def _positive(codes: np.ndarray, gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same products with positive gains."""
    sign = np.where(gain < 0, -1, 1)
    return codes * sign[:, None, None, None], gain * sign


def _silent(codes: np.ndarray, channel: int, op: DraftConv) -> np.ndarray:
    """``codes`` with a channel of zeros, where the model multiplies its sums by 0."""
    if op.bits == 1:
        raise FxhwError(
            f"Layer {op.name}, channel {channel}: its scale is 0, but binary weights have no zero"
        )
    codes = codes.copy()
    codes[channel] = 0
    return codes


def _inputs(op) -> tuple[str, ...]:
    return op.inputs if isinstance(op, DraftLink) else (op.input,)


def _reachable(ops: list) -> list:
    """The operators that the last one depends on, and it."""
    wanted, result = {ops[-1].output}, []
    for op in reversed(ops):
        if op.output in wanted:
            wanted.update(_inputs(op))
            result.append(op)
    return result[::-1]


def _usual_names(ops: list) -> dict[str, tuple[str, str]] | None:
    """Tensor -> (layer, tensor) as in :class:`UNetTopology`, in its order; None if it is no U-Net.

    Concatenations may have either order.
    """
    depth = sum(isinstance(op, DraftLink) and op.kind == "MaxPool" for op in ops)
    if not depth:
        return None
    here, names, left = {"image": "image"}, {}, list(ops[:-1])
    for layer in UNetTopology((1,) * depth).layers:
        kind = type(layer).__name__
        inputs = layer.inputs if isinstance(layer, Concat) else (layer.input,)
        if not all(name in here for name in inputs):
            return None
        inputs = sorted(here[name] for name in inputs)
        found = [
            op for op in left
            if sorted(_inputs(op)) == inputs
            and (op.kind == kind if isinstance(op, DraftLink) else kind == "ConvShape")
        ]
        if len(found) != 1:
            return None
        left.remove(found[0])
        here[layer.output] = found[0].output
        names[found[0].output] = layer.name, layer.output
    head = ops[-1]
    if left or head.input != found[0].output:
        return None
    return names | {head.output: ("head", "logit")}
