"""A network as a QONNX model whose tensors have the golden model's values, exactly.

Values are ``code * 2**-frac`` in float32.  Requantization is a ``Quant`` that rounds down, with
the rounding half in the convolution's bias.  That is exact while a channel's sums and bias stay
within 2**24; where only the bias or a multiplier takes a layer beyond, they are applied in
float64, in nodes of their own.
"""

import json
import os
from pathlib import Path

import numpy as np

from ..errors import FxhwError
from ..fixed import FixedFormat
from ..graph import Concat, Conv, Head, MaxPool, Network, TensorInfo, Upsample
from .scales import sum_range

__all__ = ["DOMAIN", "INPUT", "METADATA", "export_qonnx", "save_qonnx"]

DOMAIN = "qonnx.custom_op.general"
"""Domain of the operators Quant and BipolarQuant."""

INPUT = "pixels"
"""Name of a model's input: image codes times their step, (1, channels, height, width)."""

METADATA = "fxhw"
"""Key of the metadata entry with what ONNX does not say, as JSON."""

_OPSET = 13
_IR_VERSION = 8
_EXACT = 1 << 24


def save_qonnx(network: Network, path: str | os.PathLike, inexact: bool = False) -> None:
    """Write ``network`` to ``path`` as a QONNX model, by a temporary file and a rename.

    Raises
    ------
    FxhwError as :func:`export_qonnx`, or if the file cannot be written.
    """
    path = Path(path)
    data = export_qonnx(network, inexact).SerializeToString(deterministic=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        if temporary.is_file():
            temporary.unlink()
        raise FxhwError(f"Model {path} cannot be written: {error.strerror}") from error


def export_qonnx(network: Network, inexact: bool = False):
    """``network`` at its own size as an ``onnx.ModelProto``.

    Every tensor of the network has its name in the model; the outputs are the logit and ``mask``.
    Equal networks give equal models.

    Parameters
    ----------
    inexact : accept layers whose sums exceed what float32 holds exactly.

    Raises
    ------
    FxhwError if a layer's sums are not exact in float32, naming it with the numbers.
    """
    return _Export(network, inexact).model()


class _Export:
    """One export: nodes, initializers and the shapes of everything, as they are made."""

    def __init__(self, network: Network, inexact: bool):
        self.network = network
        self.inexact = inexact
        self.exact = True
        self.info = network.tensors()
        self.nodes, self.initializers, self.values = [], [], []
        self.names = set(self.info)

    def model(self):
        from onnx import TensorProto, helper

        image = self.info["image"]
        source = self.fresh(INPUT)
        self.quant(source, "image", image.format, "Quantize_image")
        for op in self.network.ops:
            if isinstance(op, Conv):
                self.conv(op)
            elif isinstance(op, MaxPool):
                self.node("MaxPool", [op.input], op.output, op.name,
                          kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0], ceil_mode=1)
            elif isinstance(op, Upsample):
                self.upsample(op)
            elif isinstance(op, Concat):
                self.node("Concat", list(op.inputs), op.output, op.name, axis=1)
            else:
                self.head(op)
        logit, mask = self.network.head.output, self.fresh("mask")
        zero = self.constant("mask.threshold", np.float32(0))
        self.node("GreaterOrEqual", [logit, zero], mask, "Threshold")
        for info in self.info.values():
            if info.name != logit:
                self.value(info.name, _nchw(info))
        outputs = [
            helper.make_tensor_value_info(logit, TensorProto.FLOAT, _nchw(self.info[logit])),
            helper.make_tensor_value_info(mask, TensorProto.BOOL, _nchw(self.info[logit])),
        ]
        graph = helper.make_graph(
            self.nodes,
            "fxhw",
            [helper.make_tensor_value_info(source, TensorProto.FLOAT, _nchw(image))],
            outputs,
            initializer=self.initializers,
            value_info=self.values,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(DOMAIN, 1)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="fxhw"
        )
        helper.set_model_props(
            model, {METADATA: json.dumps(self.facts(), sort_keys=True, separators=(",", ":"))}
        )
        return model

    def facts(self) -> dict:
        """What ONNX does not say."""
        network = self.network
        return {
            "input": f"code * 2**-{network.image.frac} of {network.image.width}-bit pixels",
            "normalization": network.normalization,
            "mask": "logit >= 0",
            "exact": self.exact,
            "weights": {
                op.name: [op.weight.bits, op.weight.kind]
                for op in network.ops
                if isinstance(op, Conv | Head)
            },
            "multipliers": {
                op.name: op.multiplier.tolist()
                for op in network.convs
                if op.multiplier is not None
            },
            "meta": dict(network.meta),
        }

    def conv(self, op: Conv) -> None:
        source = self.info[op.input]
        weights = self.weights(op, op.codes, op.weight_frac)
        pads, padded = [1, 1, 1, 1], op.input
        if source.format.padding:
            padded, pads = self.border(op, source), [0, 0, 0, 0]
        frac = source.format.frac + op.weight_frac
        bias = op.rounded_bias(source.format)
        low, high = sum_range(op.codes, source.format)
        if self.wide(op, low, high, bias) or op.multiplier is not None:
            acc = self.conv_node(op, padded, weights, None, pads, f"{op.name}.acc")
            acc = self.affine(op, acc, op.multiplier, np.ldexp(bias.astype(np.float64), -frac))
        else:
            bias = self.exact32(op, "bias", np.ldexp(bias.astype(np.float64), -frac))
            acc = self.conv_node(op, padded, weights, bias, pads, f"{op.name}.acc")
        self.quant(acc, op.output, op.out, f"{op.name}.quantize")

    def head(self, op: Head) -> None:
        source = self.info[op.input].format
        codes = op.codes.reshape(1, -1, 1, 1)
        frac = np.array([source.frac + op.weight_frac])
        bias = np.array([op.bias])
        self.wide(op, *sum_range(codes, source), bias, True)
        weights = self.weights(op, codes, np.array([op.weight_frac]))
        bias = self.exact32(op, "bias", np.ldexp(bias.astype(np.float64), -frac))
        self.conv_node(op, op.input, weights, bias, [0, 0, 0, 0], op.output)

    def wide(self, op, low, high, bias, head=False) -> bool:
        """Whether ``op`` needs float64 after its sums, which span ``low`` .. ``high``.

        Raises
        ------
        FxhwError if not even the sums are exact in float32.
        """
        sums = np.maximum(high, -low)
        needed = sums + np.abs(bias) if head else sums
        if needed.max() > _EXACT:
            channel = int(needed.argmax())
            if not self.inexact:
                raise FxhwError(
                    f"Layer {op.name}, channel {channel}: its sums reach {needed[channel]}, but "
                    f"float32, in which ONNX computes, holds integers up to 2**24 = {_EXACT} "
                    "exactly; take narrower weights or activations, or --inexact"
                )
            self.exact = False
        return bool((sums + np.abs(bias)).max() > _EXACT)

    def conv_node(self, op, source, weights, bias, pads, output) -> str:
        """The convolution itself; returns its output."""
        kernel = 3 if isinstance(op, Conv) else 1
        inputs = [source, weights] + ([bias] if bias else [])
        self.node("Conv", inputs, output, op.name, kernel_shape=[kernel] * 2, pads=pads,
                  strides=[1, 1], dilations=[1, 1], group=1)
        if isinstance(op, Conv):
            self.value(output, _nchw(self.info[op.output]))
        return output

    def affine(self, op: Conv, acc: str, multiplier, bias: np.ndarray) -> str:
        """``acc`` times ``multiplier`` (or None) plus ``bias``, in float64."""
        from onnx import TensorProto

        shape = _nchw(self.info[op.output])
        current = self.fresh(f"{op.name}.wide")
        self.node("Cast", [acc], current, f"{op.name}.to_float64", to=TensorProto.DOUBLE)
        self.value(current, shape, np.float64)
        for kind, what, numbers in (("Mul", "multiplier", multiplier), ("Add", "bias", bias)):
            if numbers is not None:
                column = np.asarray(numbers, np.float64).reshape(1, -1, 1, 1)
                constant = self.constant(f"{op.name}.{what}", column)
                result = self.fresh(f"{op.name}.{kind.lower()}")
                self.node(kind, [current, constant], result, f"{op.name}.{kind.lower()}")
                self.value(result, shape, np.float64)
                current = result
        if op.out.codes == "sign":
            # Rounding keeps the sign, and BipolarQuant has the type of what it reads.
            result = self.fresh(f"{op.name}.narrow")
            self.node("Cast", [current], result, f"{op.name}.to_float32", to=TensorProto.FLOAT)
            self.value(result, shape)
            current = result
        return current

    def weights(self, op, codes: np.ndarray, frac: np.ndarray) -> str:
        """The quantized weights of ``op``; returns their tensor."""
        column = (-1,) + (1,) * (codes.ndim - 1)
        values = np.ldexp(codes.astype(np.float64), -frac.reshape(column))
        name = self.exact32(op, "weight", values)
        scale = self.exact32(op, "weight.scale", np.ldexp(1.0, -frac).reshape(column))
        output = self.fresh(f"{op.name}.weight.quantized")
        node = f"{op.name}.weight.quantize"
        if op.weight.binary:
            self.node("BipolarQuant", [name, scale], output, node, DOMAIN)
        else:
            bits = op.weight.bits if op.weight.kind != "power" else op.weight.top_exponent + 2
            narrow = op.weight.kind != "fixed"
            self.quantize_node(name, scale, bits, True, narrow, "ROUND", output, node)
        self.value(output, codes.shape)
        return output

    def quant(self, source: str, output: str, fmt: FixedFormat, name: str) -> None:
        """The quantizer of a feature map: round down, clamp."""
        scale = self.constant(f"{name}.scale", np.float32(fmt.step))
        if fmt.codes == "sign":
            self.node("BipolarQuant", [source, scale], output, name, DOMAIN)
            return
        narrow = fmt.codes == "ternary"
        self.quantize_node(source, scale, fmt.width, fmt.signed, narrow, "FLOOR", output, name)

    def quantize_node(self, source, scale, bits, signed, narrow, rounding, output, name) -> None:
        zero = self.constant(f"{name}.zero_point", np.float32(0))
        bits = self.constant(f"{name}.bits", np.float32(bits))
        self.node("Quant", [source, scale, zero, bits], output, name, DOMAIN,
                  signed=int(signed), narrow=int(narrow), rounding_mode=rounding)

    def border(self, op: Conv, source: TensorInfo) -> str:
        """``op``'s input with its border, of the padding code's value."""
        value = np.float32(source.format.padding * source.format.step)
        pads = self.constant(f"{op.name}.pads", np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
        fill = self.constant(f"{op.name}.padding", value)
        output = self.fresh(f"{op.name}.padded")
        self.node("Pad", [op.input, pads, fill], output, f"{op.name}.pad", mode="constant")
        self.value(output, (1, source.channels, source.height + 2, source.width + 2))
        return output

    def upsample(self, op: Upsample) -> None:
        source, result = self.info[op.input], self.info[op.output]
        doubled = (1, source.channels, 2 * source.height, 2 * source.width)
        crop = doubled != _nchw(result)
        output = self.fresh(f"{op.name}.whole") if crop else op.output
        region = self.constant(f"{op.name}.region", np.zeros(0, np.float32))
        scales = self.constant(f"{op.name}.scales", np.array([1, 1, 2, 2], np.float32))
        self.node("Resize", [op.input, region, scales], output, op.name, mode="nearest",
                  coordinate_transformation_mode="asymmetric", nearest_mode="floor")
        if crop:
            self.value(output, doubled)
            limits = [
                self.constant(f"{op.name}.{what}", np.array(numbers, np.int64))
                for what, numbers in (
                    ("starts", [0, 0]), ("ends", [result.height, result.width]), ("axes", [2, 3])
                )
            ]
            self.node("Slice", [output, *limits], op.output, f"{op.name}.crop")

    def exact32(self, op, what: str, values: np.ndarray) -> str:
        """A float32 constant; refused if a value changes."""
        # Overflow of the cast is one of the ways to be inexact.
        with np.errstate(over="ignore", under="ignore"):
            constant = values.astype(np.float32)
        if not np.array_equal(constant.astype(np.float64), values):
            if not self.inexact or not np.isfinite(constant).all():
                wrong = values[constant.astype(np.float64) != values].flat[0]
                raise FxhwError(f"Layer {op.name} has the {what} {wrong!r}, which is not a float32")
            self.exact = False
        return self.constant(f"{op.name}.{what}", constant)

    def constant(self, name: str, array: np.ndarray) -> str:
        """An initializer; returns its name."""
        from onnx import numpy_helper

        name = self.fresh(name)
        array = np.asarray(array)
        self.initializers.append(numpy_helper.from_array(array, name))
        self.value(name, array.shape, array.dtype)
        return name

    def value(self, name: str, shape, dtype=np.float32) -> None:
        """Note a tensor's shape: QONNX runs nothing of unknown shape."""
        from onnx import helper

        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self.values.append(helper.make_tensor_value_info(name, kind, shape))

    def node(self, kind, inputs, output, name, domain="", **attributes) -> None:
        from onnx import helper

        self.nodes.append(
            helper.make_node(kind, inputs, [output], name, domain=domain, **attributes)
        )

    def fresh(self, name: str) -> str:
        """``name``, longer if a tensor is called so already."""
        while name in self.names:
            name += "_"
        self.names.add(name)
        return name


def _nchw(info: TensorInfo) -> tuple[int, int, int, int]:
    return 1, info.channels, info.height, info.width
