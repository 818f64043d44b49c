"""What every node of a model does, in real numbers: a draft of the network.

A walk gives every tensor a value: an array (a constant), :class:`Weights`, the :class:`Pixels`,
a :class:`Feature` map of codes with a scale, or a :class:`Sum` that no quantizer has seen yet.
"""

import re
from dataclasses import replace

import numpy as np

from ..errors import FxhwError
from .constants import FOLDABLE, fold
from .draft import Draft, DraftConv, DraftLink, Feature, Pixels, Quantizer, Sum, Weights
from .model_file import ModelFile, Node
from .quant_nodes import plain, quantize_constant, read_quantizer, signless_rounding

__all__ = ["walk"]

SUPPORTED = (
    "Quant, BipolarQuant, Conv, BatchNormalization, Relu, MaxPool, Resize, Upsample, Concat, Pad, "
    "Slice, and Mul, Add, Sub, Div by constants"
)
"""Operators on feature maps."""


def walk(model: ModelFile, size: tuple[int, int] | None, input_scale: float | None) -> Draft:
    """The draft of ``model``.

    Parameters
    ----------
    size : image (height, width) where the model leaves it open.
    input_scale : what one step of an 8-bit pixel is to a model whose input has no quantizer.

    Raises
    ------
    FxhwError naming the node and what is supported.
    """
    return _Walk(model, size, input_scale).draft()


class _Walk:
    def __init__(self, model: ModelFile, size, input_scale):
        self.model = model
        self.input_scale = input_scale
        self.result = Draft(None, _image_shape(model, size))
        self.values = {name: array for name, array in model.constants.items()}
        self.values[model.input] = Pixels(self.result.image_shape)
        self.names = {"image"}
        self.layer_names = set()

    def draft(self) -> Draft:
        for node in self.model.nodes:
            inputs = [self.values[name] if name else None for name in node.inputs]
            try:
                self.values[node.outputs[0]] = self.value(node, inputs)
            except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
                raise FxhwError(
                    f"{node} is damaged or of an unknown form ({type(error).__name__}: {error})"
                ) from error
        logits = [self.values[name] for name in self.model.outputs]
        if not logits or not all(isinstance(v, Sum) and v.logit for v in logits):
            raise FxhwError(
                "The model must end in a 1x1 convolution to one channel, the logit, whose sign is "
                f"the mask; its output {', '.join(self.model.outputs)} is something else"
            )
        if any(value is not logits[0] and value.node is not logits[0].node for value in logits):
            raise FxhwError("The model has several logits; a network has one")
        self.finish(logits[0])
        return self.result

    def value(self, node: Node, inputs: list):
        if node.kind == "Shape" and isinstance(inputs[0], Feature | Pixels | Sum):
            return np.array((1, *inputs[0].shape), np.int64)
        if all(isinstance(v, np.ndarray | Weights | None) for v in inputs):
            return self.constant(node, inputs)
        method = _METHODS.get(node.kind)
        if method is None:
            raise FxhwError(f"{node} is not supported; supported are {SUPPORTED}")
        return method(self, node, inputs)

    def constant(self, node: Node, inputs: list):
        if node.kind in ("Quant", "IntQuant", "BipolarQuant"):
            return quantize_constant(node, inputs)
        if node.kind == "Shape":
            return np.array(np.shape(plain(inputs[0])), np.int64)
        if node.kind not in FOLDABLE:
            raise FxhwError(
                f"{node} works on constants, which is supported of {', '.join(FOLDABLE)}, Quant "
                "and BipolarQuant alone"
            )
        if node.kind in ("Identity", "Cast") and isinstance(inputs[0], Weights):
            return inputs[0]
        return fold(node, [plain(value) for value in inputs])

    # The operators, in the order of a network.

    def quant(self, node: Node, inputs: list):
        x = inputs[0]
        quantizer = read_quantizer(node, inputs)
        if isinstance(x, Pixels):
            return self.image(node, x, quantizer)
        if isinstance(x, Feature):
            _no_border(node, x)
            self.result.wanted.setdefault(x.tensor, []).append((node.name, quantizer))
            return x
        if x.logit:
            raise FxhwError(f"{node} quantizes the logit, which is kept whole; remove it")
        if x.relu and quantizer.kind == "signed":
            quantizer = replace(quantizer, kind="unsigned", bits=quantizer.bits - 1)
        elif x.relu and quantizer.kind != "unsigned":
            raise FxhwError(f"{node} makes {quantizer.kind} codes behind a Relu; remove the Relu")
        quantizer = signless_rounding(node, quantizer)
        tensor = self.fresh(node.outputs[0])
        self.result.shapes[tensor] = x.shape
        self.result.tensors[tensor] = node.outputs[0]
        self.add_conv(x, tensor, quantizer)
        return Feature(tensor, x.shape)

    def image(self, node, x: Pixels, quantizer: Quantizer | None):
        """The image's codes, once for all its readers."""
        if quantizer is None:
            if self.input_scale is None:
                raise FxhwError(
                    f"{node} reads the image without a quantizer; say what one step of an 8-bit "
                    "pixel is worth with --input-scale, 1/255 = 0.00392157 for pixels of 0 to 1"
                )
            quantizer = Quantizer(self.input_scale * x.factor, 8, "unsigned")
        if quantizer.kind != "unsigned" or quantizer.bits > 8:
            raise FxhwError(
                f"{node} makes the image {quantizer.kind} codes of {quantizer.bits} bits, but "
                "pixels are unsigned, of 1 to 8 bits"
            )
        if self.result.image is not None and self.result.image != quantizer:
            raise FxhwError(f"{node} quantizes the image in a second way; do it once")
        self.result.image, self.result.image_factor = quantizer, x.factor
        self.result.shapes["image"] = x.shape
        return Feature("image", x.shape)

    def conv(self, node: Node, inputs: list):
        x, weights = inputs[0], inputs[1]
        if isinstance(x, Pixels):
            x = self.image(node, x, None)
        if not isinstance(x, Feature):
            raise FxhwError(f"{node} reads a tensor without a quantizer; quantize it first")
        if not isinstance(weights, Weights):
            raise FxhwError(f"{node} has weights without a Quant or BipolarQuant; quantize them")
        codes = weights.codes
        if codes.ndim != 4 or codes.shape[1] != x.shape[0] or not codes.size:
            raise FxhwError(
                f"{node} has weights of shape {codes.shape}, but its input has {x.shape[0]} "
                "channels (groups are not supported)"
            )
        head = codes.shape[2:] == (1, 1)
        if codes.shape[2:] not in ((3, 3), (1, 1)):
            raise FxhwError(f"{node} is {codes.shape[2]}x{codes.shape[3]}; 3x3 is supported, and "
                            "1x1 to one channel at the end")
        if head and codes.shape[0] != 1:
            raise FxhwError(
                f"{node} is 1x1 to {codes.shape[0]} channels; 1x1 is supported to one channel, the "
                "logit, at the end"
            )
        self.check_window(node, x, 1 if head else 3)
        scale = np.broadcast_to(weights.scale, (*codes.shape[:1], 1, 1, 1)).reshape(-1)
        if (scale <= 0).any():
            raise FxhwError(f"{node} has a weight scale of {scale.min()}; it must be positive")
        offset = np.zeros(codes.shape[0])
        if len(inputs) > 2 and inputs[2] is not None:
            offset = _channels(node, inputs[2], codes.shape[0], (-1,))
        height, width = x.shape[1:]
        if x.border is not None and not head:
            height, width = height - 2, width - 2
        shape = (codes.shape[0], height, width)
        return Sum(node, x, weights, scale, offset, shape, logit=head)

    def check_window(self, node: Node, x: Feature, kernel: int) -> None:
        """Refuse strides, dilations, groups and any border but one of the padding code."""
        ones = {"strides": [1, 1], "dilations": [1, 1], "group": 1}
        for name, wanted in ones.items():
            value = node.attributes.get(name, wanted)
            if value != wanted:
                raise FxhwError(f"{node} has {name} {value}; {wanted} is supported")
        pads = node.attributes.get("pads", [0, 0, 0, 0])
        auto = node.attributes.get("auto_pad", "NOTSET")
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            pads = [kernel // 2] * 4
        wanted = [0] * 4 if kernel == 1 or x.border is not None else [1] * 4
        if pads != wanted or (kernel == 1 and x.border is not None):
            raise FxhwError(f"{node} has pads {pads}; a border of {kernel // 2} is supported")

    def batch_norm(self, node: Node, inputs: list):
        count = inputs[0].shape[0]
        gamma, beta, mean, variance = (_channels(node, v, count, (-1,)) for v in inputs[1:5])
        if (variance < 0).any():
            raise FxhwError(f"{node} has a variance of {variance.min()}, below 0")
        gain = gamma / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
        return self.affine(node, inputs[0], gain, beta - mean * gain)

    def affine(self, node: Node, x, gain, offset):
        """``x * gain + offset`` per channel."""
        if not isinstance(x, Sum):
            raise FxhwError(f"{node} must follow a convolution, before its quantizer")
        if x.relu:
            raise FxhwError(f"{node} follows a Relu; put it before")
        return replace(x, gain=x.gain * gain, offset=x.offset * gain + offset)

    def arithmetic(self, node: Node, inputs: list):
        """Mul, Add, Sub or Div of a tensor and a constant."""
        constants = [i for i, v in enumerate(inputs) if isinstance(v, np.ndarray | Weights)]
        if len(inputs) != 2 or len(constants) != 1:
            raise FxhwError(f"{node} combines two feature maps; only constants are supported")
        if constants == [0] and node.kind == "Div":
            raise FxhwError(f"{node} divides by a feature map, which is not supported")
        x, constant = inputs[1 - constants[0]], inputs[constants[0]]
        if isinstance(x, Pixels):
            number = np.asarray(plain(constant), np.float64)
            if node.kind not in ("Mul", "Div") or number.size != 1 or number.min() <= 0:
                raise FxhwError(
                    f"{node} changes the image by more than one positive factor; quantize first"
                )
            factor = float(number.reshape(-1)[0])
            return replace(x, factor=x.factor * (factor if node.kind == "Mul" else 1 / factor))
        number = _channels(node, constant, x.shape[0], (1, -1, 1, 1))
        if node.kind in ("Mul", "Div"):
            if node.kind == "Div" and (number == 0).any():
                raise FxhwError(f"{node} divides by 0")
            return self.affine(node, x, number if node.kind == "Mul" else 1 / number, 0.0)
        if node.kind == "Sub" and constants == [0]:
            return self.affine(node, x, -1.0, number)
        return self.affine(node, x, 1.0, -number if node.kind == "Sub" else number)

    def relu(self, node: Node, inputs: list):
        x = inputs[0]
        if isinstance(x, Feature):
            if self.kind_of(x.tensor) != "unsigned":
                raise FxhwError(f"{node} follows a signed quantizer; put it before")
            return x
        if not isinstance(x, Sum) or x.logit:
            raise FxhwError(f"{node} must follow a 3x3 convolution")
        return replace(x, relu=True)

    def same(self, node: Node, inputs: list):
        return inputs[0]

    def threshold(self, node: Node, inputs: list):
        x = inputs[0]
        if not isinstance(x, Sum) or not x.logit or not np.all(plain(inputs[1]) == 0):
            raise FxhwError(f"{node} must compare the logit with 0")
        return x

    def sigmoid(self, node: Node, inputs: list):
        if not isinstance(inputs[0], Sum) or not inputs[0].logit:
            raise FxhwError(f"{node} is supported behind the logit alone")
        return inputs[0]

    def max_pool(self, node: Node, inputs: list):
        x = self.feature(node, inputs[0])
        attributes = node.attributes
        for name, wanted, default in (
            ("kernel_shape", [2, 2], None),
            ("strides", [2, 2], [1, 1]),
            ("pads", [0] * 4, [0] * 4),
            ("dilations", [1, 1], [1, 1]),
        ):
            if attributes.get(name, default) != wanted:
                raise FxhwError(
                    f"{node} has {name} {attributes.get(name, default)}; {wanted} is supported"
                )
        channels, height, width = x.shape
        if (height % 2 or width % 2) and not attributes.get("ceil_mode", 0):
            raise FxhwError(
                f"{node} pools {height}x{width} and drops the odd end; ceil_mode=1 is supported, "
                "or give a --size that stays even"
            )
        return self.link("MaxPool", node, (x,), (channels, -(-height // 2), -(-width // 2)))

    def resize(self, node: Node, inputs: list):
        x = self.feature(node, inputs[0])
        if node.attributes.get("mode", "nearest") != "nearest":
            raise FxhwError(f"{node} has mode {node.attributes['mode']}; nearest is supported")
        channels, height, width = x.shape
        scales, sizes = self.resize_numbers(node, inputs)
        if scales is not None:
            if list(scales) != [1, 1, 2, 2]:
                raise FxhwError(f"{node} scales by {list(scales)}; [1, 1, 2, 2] is supported")
            target = (2 * height, 2 * width)
        else:
            target = tuple(int(n) for n in sizes[2:])
        halves = tuple(-(-n // 2) for n in target)
        if halves != (height, width) or (sizes is not None and list(sizes[:2]) != [1, channels]):
            raise FxhwError(
                f"{node} upsamples {height}x{width} to {'x'.join(map(str, target))}; twice the "
                "size is supported, or one less"
            )
        if node.kind == "Resize":
            self.check_nearest(node, (height, width), target)
        return self.link("Upsample", node, (x,), (channels, *target))

    def resize_numbers(self, node: Node, inputs: list):
        """(scales, sizes) of a Resize or Upsample, one of them None."""
        parts = [None if v is None or not np.size(plain(v)) else plain(v) for v in inputs[1:]]
        if node.kind == "Upsample":
            scales = parts[0] if parts else node.attributes.get("scales")
            return scales, None
        if len(parts) == 1:  # as it was before version 11
            return parts[0], None
        parts += [None] * 3
        if parts[1] is None and parts[2] is None:
            raise FxhwError(f"{node} has neither scales nor sizes")
        return parts[1], parts[2]

    def check_nearest(self, node: Node, source, target) -> None:
        """Check that every pixel reads the one at half its place."""
        where = node.attributes.get("coordinate_transformation_mode", "half_pixel")
        how = node.attributes.get("nearest_mode", "round_prefer_floor")
        for count, length in zip(source, target):
            place = np.arange(length)
            if where == "asymmetric":
                x = place * count / length
            elif where in ("half_pixel", "pytorch_half_pixel"):
                x = (place + 0.5) * count / length - 0.5
            else:
                x = np.full(length, -1.0)
            rounded = {
                "floor": np.floor(x),
                "ceil": np.ceil(x),
                "round_prefer_floor": np.ceil(x - 0.5),
                "round_prefer_ceil": np.floor(x + 0.5),
            }.get(how, x - 1)
            if not np.array_equal(np.clip(rounded, 0, count - 1), place // 2):
                raise FxhwError(
                    f"{node} has coordinate_transformation_mode {where} and nearest_mode {how}, "
                    "which do not repeat every pixel twice; asymmetric and floor do"
                )

    def slice(self, node: Node, inputs: list):
        """The crop behind an upsampling."""
        x = self.feature(node, inputs[0])
        starts, ends = (np.ravel(plain(v)).astype(int).tolist() for v in inputs[1:3])
        rest = [None if v is None else np.ravel(plain(v)).tolist() for v in inputs[3:]]
        axes = rest[0] if rest and rest[0] is not None else list(range(len(starts)))
        steps = rest[1] if len(rest) > 1 and rest[1] is not None else [1] * len(starts)
        shape = [1, *x.shape]
        for start, end, axis, step in zip(starts, ends, axes, steps):
            axis = int(axis) % 4
            begin, stop, step = slice(start, end, int(step)).indices(shape[axis])
            if begin != 0 or step != 1 or (axis < 2 and stop < shape[axis]):
                raise FxhwError(f"{node} cuts more than the end of rows and columns")
            shape[axis] = stop
        shape = tuple(shape[1:])
        if shape == x.shape:
            return x
        op = next((op for op in self.result.ops if op.output == x.tensor), None)
        readers = [n for n in self.model.nodes if node.inputs[0] in n.inputs and n.kind != "Shape"]
        if not isinstance(op, DraftLink) or op.kind != "Upsample" or len(readers) > 1:
            raise FxhwError(
                f"{node} crops; supported is one row or column of an upsampling that nothing else "
                "reads"
            )
        source = self.result.shapes[op.inputs[0]]
        if tuple(-(-n // 2) for n in shape[1:]) != source[1:]:
            raise FxhwError(f"{node} crops more than one row or column of an upsampling")
        tensor = self.fresh(node.outputs[0])
        self.result.ops[self.result.ops.index(op)] = replace(op, output=tensor)
        del self.result.shapes[x.tensor]
        self.result.shapes[tensor] = shape
        return Feature(tensor, shape)

    def pad(self, node: Node, inputs: list):
        x = self.feature(node, inputs[0])
        pads = node.attributes.get("pads")
        if pads is None:
            pads = np.ravel(plain(inputs[1])).astype(int).tolist()
        fill = node.attributes.get("value", 0.0)
        if len(inputs) > 2 and inputs[2] is not None:
            fill = float(np.ravel(plain(inputs[2]))[0])
        if len(inputs) > 3 and inputs[3] is not None:
            raise FxhwError(f"{node} names axes; pads of all four are supported")
        if node.attributes.get("mode", "constant") != "constant":
            raise FxhwError(f"{node} has mode {node.attributes['mode']}; constant is supported")
        if not any(pads):
            return x
        if list(pads) != [0, 0, 1, 1, 0, 0, 1, 1]:
            raise FxhwError(f"{node} has pads {list(pads)}; a border of one pixel is supported")
        channels, height, width = x.shape
        return Feature(x.tensor, (channels, height + 2, width + 2), border=fill)

    def concat(self, node: Node, inputs: list):
        parts = [self.feature(node, value) for value in inputs]
        if node.attributes.get("axis") not in (1, -3) or len(parts) != 2:
            raise FxhwError(
                f"{node} joins {len(parts)} tensors along axis {node.attributes.get('axis')}; two "
                "along the channels, axis 1, are supported"
            )
        first, second = parts
        if first.shape[1:] != second.shape[1:]:
            sizes = " with ".join(f"{p.shape[1]}x{p.shape[2]}" for p in parts)
            raise FxhwError(f"{node} concatenates {sizes}; sizes must agree")
        shape = (first.shape[0] + second.shape[0], *first.shape[1:])
        return self.link("Concat", node, (first, second), shape)

    # What they share.

    def feature(self, node: Node, x) -> Feature:
        if isinstance(x, Pixels):
            x = self.image(node, x, None)
        if not isinstance(x, Feature):
            raise FxhwError(f"{node} reads a tensor that is not a quantized feature map")
        _no_border(node, x)
        return x

    def link(self, kind, node: Node, parts, shape) -> Feature:
        tensor = self.fresh(node.outputs[0])
        self.result.shapes[tensor] = shape
        names = tuple(part.tensor for part in parts)
        self.result.ops.append(DraftLink(kind, self.layer(node.name), names, tensor))
        return Feature(tensor, shape)

    def add_conv(self, x: Sum, tensor: str, quantizer: Quantizer | None) -> None:
        source = x.source
        kind = self.kind_of(source.tensor)
        # A head has no border, and no border of zeros suits codes without a zero.
        if not x.logit:
            wanted = -self.quantizer_of(source.tensor).scale if kind == "sign" else 0.0
            if (source.border or 0.0) != wanted:
                raise FxhwError(
                    f"{x.node} has a border of {source.border or 0.0}; that of {kind} activations "
                    f"must be {wanted}, by a Pad node"
                )
        self.result.ops.append(
            DraftConv(
                self.layer(x.node.name), source.tensor, tensor, x.weights.codes, x.weights.bits,
                x.weights.kind, x.gain, x.offset, quantizer,
            )
        )

    def finish(self, x: Sum) -> None:
        # A sigmoid has the logit's value here, but not its sign; what made the logit does.
        name = next(name for name, value in self.values.items() if value is x)
        tensor = self.fresh(name)
        self.result.shapes[tensor] = x.shape
        self.result.tensors[tensor] = name
        self.add_conv(x, tensor, None)

    def kind_of(self, tensor: str) -> str:
        return self.quantizer_of(tensor).kind

    def quantizer_of(self, tensor: str) -> Quantizer:
        """The quantizer whose codes ``tensor`` holds (the first part's, of a concatenation)."""
        if tensor == "image":
            return self.result.image
        op = next(op for op in self.result.ops if op.output == tensor)
        return op.out if isinstance(op, DraftConv) else self.quantizer_of(op.inputs[0])

    def fresh(self, name: str) -> str:
        """A tensor name of letters, digits, _ and ., not taken yet."""
        return _unused(name, self.names)

    def layer(self, name: str) -> str:
        return _unused(name, self.layer_names)


_METHODS = {
    "Add": _Walk.arithmetic,
    "BatchNormalization": _Walk.batch_norm,
    "BipolarQuant": _Walk.quant,
    "Cast": _Walk.same,
    "Concat": _Walk.concat,
    "Conv": _Walk.conv,
    "Div": _Walk.arithmetic,
    "Dropout": _Walk.same,
    "GreaterOrEqual": _Walk.threshold,
    "Identity": _Walk.same,
    "IntQuant": _Walk.quant,
    "MaxPool": _Walk.max_pool,
    "Mul": _Walk.arithmetic,
    "Pad": _Walk.pad,
    "Quant": _Walk.quant,
    "Relu": _Walk.relu,
    "Resize": _Walk.resize,
    "Sigmoid": _Walk.sigmoid,
    "Slice": _Walk.slice,
    "Sub": _Walk.arithmetic,
    "Upsample": _Walk.resize,
}


def _unused(name: str, taken: set) -> str:
    name = re.sub(r"[^A-Za-z0-9_.]", "_", name).strip("_.") or "layer"
    base, count = name, 1
    while name in taken:
        count += 1
        name = f"{base}_{count}"
    taken.add(name)
    return name


def _no_border(node: Node, x: Feature) -> None:
    if x.border is not None:
        raise FxhwError(f"{node} reads a padded tensor; only convolutions may")


def _image_shape(model: ModelFile, size) -> tuple[int, int, int]:
    shape = model.shape
    if shape is None or len(shape) != 4:
        raise FxhwError(
            f"The input {model.input} must have the shape (1, channels, height, width), not {shape}"
        )
    batch, channels, height, width = shape
    if batch not in (None, 1) or channels is None:
        raise FxhwError(
            f"The input {model.input} has batch {batch} and channels {channels}; batch 1 and a "
            "known number of channels are supported"
        )
    if height is None or width is None:
        if size is None:
            raise FxhwError(
                f"The input {model.input} leaves the image's size open; give --size HEIGHT WIDTH"
            )
        height, width = size
    return channels, height, width


def _channels(node: Node, value, count: int, shape) -> np.ndarray:
    """float64 (count,): a constant that is one number per channel, or one for all."""
    if not isinstance(value, np.ndarray | Weights):
        raise FxhwError(f"{node} needs a constant per channel, not a feature map")
    array = np.asarray(plain(value), np.float64)
    target = tuple(count if n == -1 else n for n in shape)
    try:
        return np.broadcast_to(array, target).reshape(count).copy()
    except ValueError:
        raise FxhwError(
            f"{node} has a constant of shape {array.shape}, expected one number per channel, "
            f"{target}"
        ) from None
