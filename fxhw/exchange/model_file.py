"""An ONNX file as sorted nodes and constants, every claim of it checked; nothing is executed."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import FxhwError
from .export import METADATA

__all__ = ["ModelFile", "Node", "read_model"]

_CUSTOM_DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas")


@dataclass(frozen=True)
class Node:
    """One operator.

    Parameters
    ----------
    kind : operator, ``Conv``; one of a foreign domain has that before a colon.
    name : its name, or its first output's.
    inputs : tensor names, empty where an optional one is left out.
    outputs : tensor names.
    attributes : name -> integer, float, string, list or array.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict = field(default_factory=dict)

    def __str__(self):
        return f"Node {self.name} ({self.kind})"


@dataclass(frozen=True)
class ModelFile:
    """A model, its nodes in an order in which each reads what is there already.

    Parameters
    ----------
    proto : the ``onnx.ModelProto``, all tensors inside it.
    input : name of its one input that is no constant.
    shape : the input's dimensions, None where unknown; None if none is given.
    outputs : names of its outputs.
    nodes : operators.
    constants : initializers.
    facts : what :mod:`~fxhw.exchange.export` noted, empty in other tools' models.
    """

    proto: object
    input: str
    shape: tuple | None
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: dict[str, np.ndarray]
    facts: dict


def read_model(path: Path) -> ModelFile:
    """Read ``path``.

    Raises
    ------
    FxhwError if it is no sound ONNX model, naming the node or the tensor.
    """
    import onnx
    from google.protobuf.message import DecodeError

    if not path.is_file():
        raise FxhwError("it does not exist or is not a file")
    try:
        proto = onnx.load_model_from_string(path.read_bytes())
    except (DecodeError, ValueError, RuntimeError) as error:
        raise FxhwError(f"it is not a sound ONNX file ({error}); it may be truncated") from error
    graph = proto.graph
    if not graph.node:
        raise FxhwError("it is not an ONNX file, or has no nodes")
    if graph.sparse_initializer or proto.functions:
        raise FxhwError("it has sparse tensors or functions, which are not supported")
    constants = {}
    for tensor in graph.initializer:
        _embed(tensor, path.parent)
        constants[tensor.name] = _array(tensor)
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise FxhwError(f"it must have one input, an image, not {names}")
    nodes = [_node(node, path.parent) for node in graph.node]
    return ModelFile(
        proto,
        inputs[0].name,
        _shape(inputs[0]),
        tuple(value.name for value in graph.output),
        tuple(_sorted(nodes, {inputs[0].name, *constants})),
        constants,
        _facts(proto),
    )


def _shape(value) -> tuple | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
        for dim in tensor.shape.dim
    )


def _facts(proto) -> dict:
    texts = {entry.key: entry.value for entry in proto.metadata_props}
    try:
        facts = json.loads(texts.get(METADATA, "{}"))
    except (ValueError, RecursionError) as error:
        raise FxhwError(f"its metadata entry {METADATA} is damaged ({error})") from error
    if not isinstance(facts, dict) or not isinstance(facts.get("meta", {}), dict):
        raise FxhwError(f"its metadata entry {METADATA} is {facts!r}, not a table of tables")
    return facts


def _node(proto, folder: Path) -> Node:
    from onnx import AttributeProto

    name = proto.name or (proto.output[0] if proto.output else "without a name")
    kind = proto.op_type
    if proto.domain not in ("", "ai.onnx", *_CUSTOM_DOMAINS):
        kind = f"{proto.domain}:{kind}"
    readers = {
        AttributeProto.INT: lambda a: a.i,
        AttributeProto.FLOAT: lambda a: a.f,
        AttributeProto.STRING: lambda a: a.s.decode(errors="replace"),
        AttributeProto.INTS: lambda a: list(a.ints),
        AttributeProto.FLOATS: lambda a: list(a.floats),
    }
    attributes = {}
    for attribute in proto.attribute:
        if attribute.type == AttributeProto.TENSOR:
            _embed(attribute.t, folder)
            attributes[attribute.name] = _array(attribute.t)
        elif attribute.type in readers:
            attributes[attribute.name] = readers[attribute.type](attribute)
        else:
            raise FxhwError(
                f"Node {name} ({kind}) has the attribute {attribute.name} of a kind that is not "
                "supported (a graph or a list of tensors)"
            )
    return Node(kind, name, tuple(proto.input), tuple(proto.output), attributes)


def _embed(tensor, folder: Path) -> None:
    """Take external data into ``tensor``, from a file in ``folder`` alone."""
    from onnx import TensorProto

    if tensor.data_location != TensorProto.EXTERNAL:
        return
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    root = folder.resolve()
    target = (root / location).resolve()
    if not location or not target.is_relative_to(root):
        raise FxhwError(
            f"Tensor {tensor.name} lies in {location or 'no file'}, outside the model's folder; "
            "external data must lie beside the model"
        )
    if not target.is_file():
        raise FxhwError(f"Tensor {tensor.name} lies in {location}, which does not exist")
    size = target.stat().st_size
    offset = int(entries.get("offset", 0))
    length = int(entries.get("length", size - offset))
    if offset < 0 or length < 0 or offset + length > size:
        raise FxhwError(
            f"Tensor {tensor.name} takes bytes {offset} to {offset + length} of {location}, "
            f"which has {size}; it may be truncated"
        )
    with open(target, "rb") as file:
        file.seek(offset)
        tensor.raw_data = file.read(length)
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]


def _array(tensor) -> np.ndarray:
    from onnx import numpy_helper

    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise FxhwError(f"Tensor {tensor.name} is damaged ({error})") from error
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise FxhwError(f"Tensor {tensor.name} has numbers of type {array.dtype}, not supported")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise FxhwError(f"Tensor {tensor.name} holds NaN or infinity")
    return array


def _sorted(nodes: list[Node], known: set[str]) -> list[Node]:
    """``nodes``, each after those whose results it reads."""
    made = {}
    for node in nodes:
        for output in filter(None, node.outputs):
            if output in made or output in known:
                raise FxhwError(f"{node} makes tensor {output}, which exists already")
            made[output] = node
    for node in nodes:
        for name in filter(None, node.inputs):
            if name not in made and name not in known:
                raise FxhwError(
                    f"{node} reads tensor {name}, which is neither made by a node nor stored"
                )
    result, waiting, known = [], nodes, set(known)
    while waiting:
        later = []
        for node in waiting:
            if all(name in known for name in filter(None, node.inputs)):
                result.append(node)
                known.update(node.outputs)
            else:
                later.append(node)
        if len(later) == len(waiting):
            raise FxhwError(f"{later[0]} lies on a cycle, or behind one; a network has none")
        waiting = later
    return result
