"""QONNX models by hand."""

import numpy as np
import pytest

pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper

__all__ = ["Builder", "codes_of", "pixels_of", "unet"]

QONNX = "qonnx.custom_op.general"


def pixels_of(network, image):
    """What an exported model reads for an image's codes."""
    values = image.astype(np.float64) * network.image.step
    return values.transpose(2, 0, 1)[None].astype(np.float32)


def codes_of(value, fmt):
    """(height, width, channels) codes, not rounded, of a model's tensor."""
    return value[0].transpose(1, 2, 0).astype(np.float64) * 2.0**fmt.frac


class Builder:
    """A model made node by node; every method returns its result's name."""

    def __init__(self, shape=(1, 1, 8, 8)):
        self.nodes, self.initializers, self.current = [], [], "x"
        self.shape = shape

    def constant(self, value, dtype=np.float32):
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def node(self, kind, inputs, name=None, domain="", **attributes):
        output = f"t{len(self.nodes)}"
        name = name or f"{kind}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(kind, inputs, [output], name, domain=domain, **attributes)
        )
        return output

    def quant(self, x, scale, bits, signed=0, narrow=0, rounding="ROUND", zero=0.0, **more):
        inputs = [x, self.constant(scale), self.constant(zero), self.constant(bits)]
        return self.node("Quant", inputs, domain=QONNX, signed=signed, narrow=narrow,
                         rounding_mode=rounding, **more)

    def weights(self, codes, scale, bits=4):
        codes = np.asarray(codes, np.float64)
        scale = np.asarray(scale, np.float32).reshape(-1, 1, 1, 1)
        return self.quant(self.constant(codes * scale), scale, bits, signed=1)

    def conv(self, x, weights, bias=None, kernel=3, **attributes):
        inputs = [x, weights] + ([self.constant(bias)] if bias is not None else [])
        attributes = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4} | attributes
        return self.node("Conv", inputs, **attributes)

    def norm(self, x, gamma, beta, mean, variance):
        inputs = [x, *(self.constant(v) for v in (gamma, beta, mean, variance))]
        return self.node("BatchNormalization", inputs, epsilon=1e-5)

    def model(self, *outputs, metadata=None):
        graph = helper.make_graph(
            self.nodes,
            "test",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            initializer=self.initializers,
        )
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        if metadata:
            helper.set_model_props(model, metadata)
        return model

    def save(self, path, *outputs):
        path.write_bytes(self.model(*outputs).SerializeToString())
        return path


def unet(seed, scales=None, norm=True, rounding="ROUND", signed=False, size=(8, 8), skip_scale=None,
         image=True):
    """A Builder with a U-Net of one level, and its logit; scales are arbitrary unless given.

    ``skip_scale`` is the step of the skip connection, other than that of the tensor it is
    concatenated with.
    """
    rng = np.random.default_rng(seed)
    b = Builder((1, 1, *size))

    def scale(low, high):
        return scales if scales else float(rng.uniform(low, high))

    def block(x, inputs, outputs, step):
        codes = rng.integers(-8, 8, (outputs, inputs, 3, 3))
        steps = np.array([scale(0.01, 0.05) for _ in range(outputs)])
        x = b.conv(x, b.weights(codes, steps), rng.uniform(-0.1, 0.1, outputs))
        if norm:
            gamma = rng.uniform(0.5, 1.5, outputs) * rng.choice([1, 1, -1], outputs)
            x = b.norm(x, gamma, rng.uniform(-0.2, 0.4, outputs), rng.normal(0, 0.1, outputs),
                       rng.uniform(0.3, 2, outputs))
        if not signed:
            x = b.node("Relu", [x])
        return b.quant(x, step, 5, signed=int(signed), rounding=rounding)

    x = b.quant("x", 1 / 256, 8) if image else "x"
    step = scale(0.03, 0.06)
    skip = block(block(x, 1, 3, scale(0.02, 0.05)), 3, 3, skip_scale or step)
    x = b.node("MaxPool", [skip], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    x = block(block(x, 3, 4, scale(0.02, 0.05)), 4, 4, step)
    sizes = b.constant([1, 4, *size], np.int64)
    x = b.node("Resize", [x, "", "", sizes], mode="nearest", nearest_mode="floor",
               coordinate_transformation_mode="asymmetric")
    x = b.node("Concat", [skip, x], axis=1)
    x = block(block(x, 7, 3, scale(0.03, 0.08)), 3, 3, scale(0.03, 0.08))
    codes = rng.integers(-127, 128, (1, 3, 1, 1))
    logit = b.conv(x, b.weights(codes, scale(0.001, 0.01), 8), [-0.02], kernel=1)
    return b, logit
