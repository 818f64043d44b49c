"""What nodes compute from constants alone, such as folded scales or the sizes of a Resize."""

import numpy as np

from .model_file import Node

__all__ = ["FOLDABLE", "fold"]


def _gather(node, data, indices):
    return np.take(data, indices.astype(np.int64), axis=node.attributes.get("axis", 0))


def _slice(node, data, starts, ends, axes=None, steps=None):
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    index = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps):
        index[axis] = slice(int(start), int(end), int(step))
    return data[tuple(index)]


def _reshape(node, data, shape):
    shape = [data.shape[i] if n == 0 else int(n) for i, n in enumerate(shape)]
    return data.reshape(shape)


def _axes(node, axes):
    axes = node.attributes.get("axes") if axes is None else axes
    return None if axes is None else tuple(int(axis) for axis in axes)


def _cast(node, data):
    from onnx import helper

    dtype = helper.tensor_dtype_to_np_dtype(node.attributes["to"])
    return data.astype(dtype)


def _constant(node):
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if name in node.attributes:
            value = node.attributes[name]
            return np.asarray(value, np.float32 if "float" in name else None)
    raise KeyError("value")


def _divide(node, a, b):
    return a // b if a.dtype.kind in "iu" else a / b


FOLDABLE = {
    "Add": lambda node, a, b: a + b,
    "Cast": _cast,
    "Concat": lambda node, *parts: np.concatenate(parts, axis=node.attributes["axis"]),
    "Constant": _constant,
    "Div": _divide,
    "Floor": lambda node, a: np.floor(a),
    "Gather": _gather,
    "Identity": lambda node, a: a,
    "Mul": lambda node, a, b: a * b,
    "Neg": lambda node, a: -a,
    "Reshape": _reshape,
    "Slice": _slice,
    "Sqrt": lambda node, a: np.sqrt(a),
    "Squeeze": lambda node, a, axes=None: np.squeeze(a, _axes(node, axes)),
    "Sub": lambda node, a, b: a - b,
    "Transpose": lambda node, a: np.transpose(a, node.attributes.get("perm")),
    "Unsqueeze": lambda node, a, axes=None: np.expand_dims(a, _axes(node, axes)),
}
"""Operator -> its result from the node and its inputs."""


def fold(node: Node, inputs: list) -> np.ndarray:
    """Result of ``node``, one of :data:`FOLDABLE`, on constant ``inputs`` (None where absent).

    Raises
    ------
    ValueError, TypeError, KeyError or IndexError if they do not fit the operator.
    """
    with np.errstate(all="ignore"):
        result = np.asarray(FOLDABLE[node.kind](node, *inputs))
    if result.dtype.kind == "f" and not np.isfinite(result).all():
        raise ValueError("the result is not finite")
    return result
