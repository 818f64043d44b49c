"""Checkpoint files: a quantized network as safetensors, codes packed at their exact width.

The header's one metadata entry ``fxhw`` is canonical JSON: schema version, image format, size,
operators in order with their formats, and free text facts.  The tensors are, per layer,
``<name>.weight`` (uint8, packed codes), ``<name>.weight_frac`` (int16), ``<name>.bias`` (int64)
and, where there is one, ``<name>.multiplier`` (int64), and ``calibration`` (uint8, image codes).
Nothing in the file is ever executed.

Schema 1 knows fixed weights of 1 to 8 bits, unsigned activations of 1 to 8 bits and nothing else;
a network of these alone is written in it.  Schema 2 adds ``normalization``, the ``kind`` of
weights, the ``codes`` of activations and whether a layer has a ``multiplier``.
"""

import json
import math
import os
from pathlib import Path

import numpy as np

from .errors import FxhwError
from .fixed import FixedFormat, WeightFormat, pack_codes, unpack_codes
from .graph import Concat, Conv, Head, MaxPool, Network, Upsample

__all__ = ["SCHEMA", "load_checkpoint", "save_checkpoint"]

SCHEMA = 2
"""Newest version of the metadata's layout; version 1 is read and written too."""

_DAMAGE = (
    KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError
)
"""What metadata of the wrong shape makes the reader raise."""


def save_checkpoint(network: Network, path: str | os.PathLike) -> None:
    """Write ``network`` to ``path``: a temporary file first, then a rename.

    Equal networks give equal bytes.

    Raises
    ------
    FxhwError if the file cannot be written; a file already there is left as it was.
    """
    from safetensors.numpy import save

    path = Path(path)
    schema = 1 if all(_in_schema_1(op) for op in network.ops) else SCHEMA
    schema = schema if network.normalization == "none" else SCHEMA
    ops, tensors = [], {"calibration": np.ascontiguousarray(network.calibration)}
    for op in network.ops:
        ops.append(_op_to_json(op, schema))
        if isinstance(op, Conv | Head):
            packed = pack_codes(op.weight.encode(op.codes).reshape(-1), op.weight.bits)
            tensors[f"{op.name}.weight"] = packed
            frac = np.atleast_1d(np.asarray(op.weight_frac))
            tensors[f"{op.name}.weight_frac"] = frac.astype(np.int16)
            tensors[f"{op.name}.bias"] = np.atleast_1d(np.asarray(op.bias)).astype(np.int64)
        if isinstance(op, Conv) and op.multiplier is not None:
            tensors[f"{op.name}.multiplier"] = op.multiplier.astype(np.int64)
    header = {
        "schema": schema,
        "image": _format_to_json(network.image),
        "image_channels": network.image_channels,
        "size": list(network.size),
        "ops": ops,
        "meta": dict(network.meta),
    }
    if schema > 1:
        header["normalization"] = network.normalization
    text = json.dumps(header, sort_keys=True, separators=(",", ":"))
    data = save(tensors, metadata={"fxhw": text})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        if temporary.is_file():
            temporary.unlink()
        raise FxhwError(f"Checkpoint {path} cannot be written: {error.strerror}") from error


def load_checkpoint(path: str | os.PathLike) -> Network:
    """Read a checkpoint.

    Raises
    ------
    FxhwError naming the file and the layer, for anything that is not a sound checkpoint.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FxhwError(f"Checkpoint {path} does not exist; train one with 'fxhw train'")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            names = list(file.keys()) if "fxhw" in metadata else []
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
        raise FxhwError(
            f"Checkpoint {path} is not a sound safetensors file ({error}); "
            "it may be truncated, copy or train it again"
        ) from error
    if "fxhw" not in metadata:
        raise FxhwError(
            f"Checkpoint {path} is a safetensors file, but not one of fxhw "
            "(it has no 'fxhw' entry in its metadata); make one with 'fxhw train'"
        )
    try:
        return _build(json.loads(metadata["fxhw"]), tensors)
    except FxhwError as error:
        raise FxhwError(f"Checkpoint {path}: {error}") from error
    except _DAMAGE as error:
        raise FxhwError(
            f"Checkpoint {path} has damaged metadata ({type(error).__name__}: {error})"
        ) from error


def _build(header: dict, tensors: dict[str, np.ndarray]) -> Network:
    schema = header["schema"]
    if schema not in range(1, SCHEMA + 1):
        raise FxhwError(
            f"its schema is version {schema}, this fxhw reads versions 1 to {SCHEMA}; "
            "train it again or use the fxhw that made it"
        )
    if not isinstance(header["meta"], dict):
        raise FxhwError(f"its facts are {header['meta']!r}, not a table")
    ops = tuple(_op_from_json(entry, tensors, schema) for entry in header["ops"])
    height, width = header["size"]
    calibration = _tensor(tensors, "calibration", np.uint8)
    return Network(
        image=_format_from_json(header["image"]),
        image_channels=int(header["image_channels"]),
        ops=ops,
        size=(int(height), int(width)),
        calibration=calibration,
        meta=header["meta"],
        normalization=header["normalization"] if schema > 1 else "none",
    )


def _in_schema_1(op) -> bool:
    """Whether schema 1 has words for all of ``op``."""
    if not isinstance(op, Conv | Head):
        return True
    if op.weight.kind != "fixed" or op.weight.bits > 8:
        return False
    return isinstance(op, Head) or (
        op.out.kind == "unsigned" and op.out.width <= 8 and op.multiplier is None
    )


def _format_to_json(fmt: FixedFormat, schema: int = 1) -> dict:
    entry = {"width": fmt.width, "frac": fmt.frac, "signed": fmt.signed}
    return entry if schema == 1 else entry | {"codes": fmt.codes}


def _format_from_json(entry: dict, schema: int = 1) -> FixedFormat:
    codes = "linear" if schema == 1 else entry["codes"]
    return FixedFormat(int(entry["width"]), int(entry["frac"]), bool(entry["signed"]), codes)


def _op_to_json(op, schema: int) -> dict:
    entry = {"op": type(op).__name__, "name": op.name, "output": op.output}
    if isinstance(op, Concat):
        return entry | {"inputs": list(op.inputs)}
    entry["input"] = op.input
    if isinstance(op, Conv | Head):
        entry |= {"bits": op.weight.bits, "shape": [int(n) for n in op.codes.shape]}
        if schema > 1:
            entry["kind"] = op.weight.kind
    if isinstance(op, Conv):
        entry["out"] = _format_to_json(op.out, schema)
        if schema > 1:
            entry["multiplier"] = op.multiplier is not None
    elif isinstance(op, Upsample):
        entry["like"] = op.like
    return entry


def _op_from_json(entry: dict, tensors: dict[str, np.ndarray], schema: int):
    kind, name, output = entry["op"], entry["name"], entry["output"]
    if kind == "Concat":
        first, second = entry["inputs"]
        return Concat(name, (first, second), output)
    if kind == "MaxPool":
        return MaxPool(name, entry["input"], output)
    if kind == "Upsample":
        return Upsample(name, entry["input"], output, entry["like"])
    if kind not in ("Conv", "Head"):
        raise FxhwError(f"layer {name} has the unknown operator {kind!r}")
    weight = _weight_from_json(entry, schema)
    shape = tuple(int(n) for n in entry["shape"])
    if len(shape) != (4 if kind == "Conv" else 1) or min(shape) < 1:
        raise FxhwError(f"layer {name} has weights of the impossible shape {shape}")
    packed = _tensor(tensors, f"{name}.weight", np.uint8)
    count = math.prod(shape)
    if packed.size != -(-count * weight.bits // 8):
        raise FxhwError(
            f"layer {name} has {packed.size} bytes of weights, but shape {shape} "
            f"at {weight.bits} bits takes {-(-count * weight.bits // 8)}"
        )
    try:
        codes = weight.decode(unpack_codes(packed, weight.bits, count)).reshape(shape)
    except ValueError as error:
        raise FxhwError(f"layer {name} has weights that are no {weight.name} codes") from error
    channels = shape[0] if kind == "Conv" else 1
    frac = _tensor(tensors, f"{name}.weight_frac", np.int16).astype(np.int64)
    bias = _tensor(tensors, f"{name}.bias", np.int64)
    vectors = {"weight_frac": frac, "bias": bias}
    if kind == "Conv" and schema > 1 and entry["multiplier"]:
        vectors["multiplier"] = _tensor(tensors, f"{name}.multiplier", np.int64)
    for what, values in vectors.items():
        if values.shape != (channels,):
            raise FxhwError(
                f"layer {name} has {what} of shape {values.shape}, expected ({channels},)"
            )
    if kind == "Head":
        return Head(name, entry["input"], output, weight, codes, int(frac[0]), int(bias[0]))
    out = _format_from_json(entry["out"], schema)
    if schema == 1 and (out.signed or not 1 <= out.width <= 8):
        raise FxhwError(f"layer {name} has activations of format {out.name}, expected u1 .. u8")
    multiplier = vectors.get("multiplier")
    return Conv(name, entry["input"], output, weight, codes, frac, bias, out, multiplier)


def _weight_from_json(entry: dict, schema: int) -> WeightFormat:
    bits = int(entry["bits"])
    if schema == 1 and bits > 8:
        raise ValueError(f"Weight width must be 1 to 8 bits in schema 1, not {bits}")
    return WeightFormat(bits, "fixed" if schema == 1 else entry["kind"])


def _tensor(tensors: dict[str, np.ndarray], name: str, dtype) -> np.ndarray:
    if name not in tensors:
        raise FxhwError(f"tensor {name} is missing")
    tensor = tensors[name]
    if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
        raise FxhwError(f"tensor {name} holds NaN or infinity; a checkpoint holds integer codes")
    if tensor.dtype != dtype:
        raise FxhwError(f"tensor {name} is {tensor.dtype}, expected {np.dtype(dtype)}")
    return tensor
