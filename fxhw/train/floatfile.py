"""Networks of real numbers from PyTorch files: this package's own U-Nets, and others' modules.

Of a file, tensors and plain types alone are read; nothing in it is executed.  A module's source
file, which the user names, is: it is imported.
"""

import importlib.util
import inspect
import json
import pickle
import re
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..errors import FxhwError
from ..graph import UNetTopology
from .fold import fold
from .tracing import Parameters, TracedTopology, trace
from .unet import FloatUNet

__all__ = ["FloatNetwork", "load_float_unet", "load_module"]

_WRAPPERS = ("state_dict", "model_state_dict", "network", "model", "net", "params", "weights")
"""Entries of a file that may hold the state dict."""

_PREFIXES = {"", "module", "_orig_mod", "model", "net", "network", "unet"}
"""What wrappers put before a tensor's name, a dot after each."""

_FLOAT_PHASES = ("float", "tune")
"""Phases of this package's training whose state is a network of real numbers."""


@dataclass(frozen=True)
class FloatNetwork:
    """A network of real numbers, batch-norm folded.

    Parameters
    ----------
    topology : its layers.
    parameters : (weight, bias) of every convolution and of ``head``.
    normalization : of its images, where the file says so.
    """

    topology: UNetTopology | TracedTopology
    parameters: Parameters
    normalization: str | None = None


def load_float_unet(path: Path) -> FloatNetwork:
    """This package's own float U-Net: a ``.float.pt``, a ``.state.pt`` or a bare state dict.

    Base channels, depth and image channels come from the tensors' names and shapes.

    Raises
    ------
    FxhwError if the file cannot be read or holds another network.
    """
    tensors, facts = _read(path)
    first = next((name for name in tensors if name.endswith("blocks.enc0a.0.weight")), None)
    if first is None:
        if any(re.search(r"(^|\.)blocks\.enc0a\.(weight|conv\.weight)$", name) for name in tensors):
            raise FxhwError(
                f"Model {path} is being trained with quantized numbers already; take the "
                ".float.pt beside it, or the checkpoint that its training ends with"
            )
        raise FxhwError(
            f"Model {path} is not fxhw's own U-Net (it has {_some(_shapes(tensors))}); name its "
            "class with --module FILE.py:CLASS"
        )
    if facts.get("activation", "relu") != "relu":
        raise FxhwError(
            f"Model {path} has the activation {facts['activation']}, and only ReLU is quantized "
            "without training; use fxhw train --float-from"
        )
    prefix = first.removesuffix("blocks.enc0a.0.weight")
    topology = _own_topology(path, {name.removeprefix(prefix): t for name, t in tensors.items()})
    network = FloatUNet(topology)
    _load_state(network, tensors, path, "a U-Net of these channels")
    return FloatNetwork(topology, fold(network.eval()), facts.get("normalization"))


def load_module(path: Path, spec: str, arguments: dict | None = None) -> FloatNetwork:
    """A module of the user's with the state dict in ``path``.

    Parameters
    ----------
    spec : ``FILE.py:CLASS``; the file is imported, so its code runs.
    arguments : keyword arguments of the class.

    Raises
    ------
    FxhwError if a file cannot be read, the class cannot be made, the state dict does not fit it,
    or the module is not one that can be traced.
    """
    module = _make(spec, arguments or {})
    tensors, _ = _read(path)
    _load_state(module, tensors, path, f"class {type(module).__name__}")
    return FloatNetwork(*trace(module))


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Tensors of the state dict in ``path``, and the options that made it, where it has them."""
    content = _load(path)
    if not isinstance(content, Mapping):
        raise FxhwError(
            f"Model {path} holds a {type(content).__name__}, not a state dict; save it with "
            "torch.save(model.state_dict(), FILE)"
        )
    phase = content.get("phase")
    if isinstance(phase, str) and phase not in _FLOAT_PHASES:
        raise FxhwError(
            f"Model {path} is the state of a training in phase {phase}, quantized already; take "
            "the .float.pt beside it, or the checkpoint that its training ends with"
        )
    facts = {}
    for name in ("recipe", "run"):
        if isinstance(content.get(name), str):
            try:
                facts = json.loads(content[name])
            except ValueError as error:
                raise FxhwError(f"Model {path} is damaged: its {name} is not JSON") from error
    tensors = _state_dict(content)
    if not tensors:
        raise FxhwError(
            f"Model {path} holds no state dict, neither itself nor as {', '.join(_WRAPPERS)}; it "
            f"has {_some(dict.fromkeys(map(str, content)))}"
        )
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise FxhwError(f"Tensor {name} of model {path} holds NaN or infinity; train it again")
    return tensors, facts if isinstance(facts, dict) else {}


def _state_dict(content: Mapping) -> dict[str, torch.Tensor]:
    """The tensors of a state dict, or of the one that ``content`` wraps; none if there is none."""
    tensors = {name: t for name, t in content.items() if isinstance(t, torch.Tensor)}
    if tensors:
        return {str(name): tensor for name, tensor in tensors.items()}
    for name in _WRAPPERS:
        if isinstance(content.get(name), Mapping):
            return _state_dict(content[name])
    return {}


def _load(path: Path):
    """What a PyTorch file holds, as far as it is tensors and plain types."""
    if not path.exists():
        raise FxhwError(f"Model {path} does not exist; give a PyTorch file (.pt, .pth)")
    if not path.is_file():
        raise FxhwError(f"Model {path} is not a file; give a PyTorch file (.pt, .pth)")
    if path.suffix == ".safetensors":
        raise FxhwError(
            f"Model {path} is a safetensors file; if it is one of fxhw's, it is quantized already "
            "(fxhw generate --wbits gives it other widths), else save it with torch.save"
        )
    _refuse_programs(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        if found:
            raise FxhwError(
                f"Model {path} holds the Python object {found[1]}, whose loading could run any "
                "code; save tensors alone, with torch.save(model.state_dict(), FILE)"
            ) from error
        raise FxhwError(f"Model {path} is not a PyTorch file, or it is damaged") from error
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, IndexError,
            AttributeError, AssertionError) as error:
        reason = (" ".join(str(error).split()) or "it ends early")[:120]
        raise FxhwError(f"Model {path} is damaged or truncated ({reason})") from error


def _refuse_programs(path: Path) -> None:
    """Refuse archives of programs: TorchScript, and torch.export's."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any("/code/" in name or name.endswith("/constants.pkl") for name in names):
        kind = "a TorchScript program"
    elif not any(name.endswith("data.pkl") for name in names):
        kind = "an exported program or another archive"
    else:
        return
    raise FxhwError(
        f"Model {path} is {kind}, not a file of tensors; save the module it was made of with "
        "torch.save(model.state_dict(), FILE)"
    )


def _own_topology(path: Path, tensors: dict[str, torch.Tensor]) -> UNetTopology:
    """Shape of this package's U-Net, from its encoder's weights."""
    weights = []
    while f"blocks.enc{len(weights)}a.0.weight" in tensors and len(weights) < 8:
        name = f"blocks.enc{len(weights)}a.0.weight"
        weights.append(tensors[name])
        if weights[-1].ndim != 4 or not weights[-1].numel():
            raise FxhwError(
                f"Tensor {name} of model {path} has the shape {tuple(weights[-1].shape)}, "
                "not that of a 3x3 convolution's weights"
            )
    return UNetTopology(tuple(len(weight) for weight in weights), weights[0].shape[1])


def _load_state(network: nn.Module, tensors: dict, path: Path, what: str) -> None:
    """Load ``tensors`` into ``network``, from under a prefix if they have one.

    Raises
    ------
    FxhwError naming tensors that are missing, left over or of another shape.
    """
    state = network.state_dict()
    wanted = {
        name: tuple(tensor.shape) for name, tensor in state.items()
        if isinstance(tensor, torch.Tensor)
    }
    tensors = _without_prefix(tensors, wanted)
    shapes = _shapes(tensors)
    problems = [
        (word, {name: shape for name, shape in group.items() if name not in other})
        for word, group, other in (
            ("lacks", {n: s for n, s in wanted.items() if not n.endswith("_tracked")}, shapes),
            ("also has", shapes, wanted),
        )
    ]
    differ = {
        f"{name} {shapes[name]} in place of": shape
        for name, shape in wanted.items() if shapes.get(name, shape) != shape
    }
    problems = [(word, group) for word, group in (*problems, ("has", differ)) if group]
    if problems:
        shown = "; it ".join(f"{word} {_some(group)}" for word, group in problems)
        raise FxhwError(f"Model {path} does not fit {what}: it {shown}")
    tensors = {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
    network.load_state_dict(state | tensors)


def _without_prefix(tensors: dict, wanted: dict) -> dict:
    """``tensors`` without what stands before all wanted names, as DataParallel's ``module.``.

    Other tensors beside them, as a loss has, are left out.
    """
    names = [name for name in wanted if not name.endswith("_tracked")]
    if not names or all(name in tensors for name in names):
        return tensors
    for prefix in [name.removesuffix(names[0]) for name in tensors if name.endswith(names[0])]:
        # A name of the network's own could be a part of it, which is another network.
        known = set(prefix.split(".")) <= _PREFIXES
        if known and all(prefix + name in tensors for name in names):
            return {
                name.removeprefix(prefix): tensor for name, tensor in tensors.items()
                if name.startswith(prefix)
            }
    return tensors


def _shapes(tensors: dict) -> dict[str, tuple]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _some(shapes: dict) -> str:
    """The first few of names with their shapes, where they have one."""
    shown = [name if shape is None else f"{name} {shape}" for name, shape in shapes.items()]
    more = [f"{len(shown) - 3} more"] if len(shown) > 3 else []
    return ", ".join([*shown[:3], *more])


def _make(spec: str, arguments: dict) -> nn.Module:
    """An instance of the class that ``spec`` names."""
    file, colon, name = spec.rpartition(":")
    path = Path(file)
    if not colon or not name.isidentifier() or path.suffix != ".py":
        raise FxhwError(f"--module must be FILE.py:CLASS, as net.py:UNet, not {spec!r}")
    if not path.is_file():
        raise FxhwError(f"Module file {path} does not exist")
    namespace = vars(_import(path))
    if name not in namespace:
        classes = [
            other for other, value in namespace.items()
            if isinstance(value, type) and issubclass(value, nn.Module)
            and value.__module__ == namespace["__name__"]
        ]
        raise FxhwError(
            f"Module file {path} has no class {name}; it has {', '.join(classes) or 'none at all'}"
        )
    kind = namespace[name]
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise FxhwError(f"{name} of module file {path} is not a class derived from nn.Module")
    try:
        inspect.signature(kind).bind(**arguments)
    except TypeError as error:
        raise FxhwError(
            f"Class {name}{inspect.signature(kind)} cannot be made with "
            f"{arguments or 'no arguments'} ({error}); give --module-args as JSON"
        ) from error
    with _reported(f"Class {name} of module file {path} fails to be made"):
        return kind(**arguments)


def _import(path: Path):
    """The module in ``path``, with the files beside it importable, and nothing written there."""
    name = f"fxhw_user_{re.sub(r'[^A-Za-z0-9_]', '_', path.stem)}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    folder, write = str(path.resolve().parent), sys.dont_write_bytecode
    sys.path.insert(0, folder)
    sys.modules[name] = module
    sys.dont_write_bytecode = True
    try:
        with _reported(f"Module file {path} cannot be imported"):
            spec.loader.exec_module(module)
    except FxhwError:
        del sys.modules[name]
        raise
    finally:
        sys.dont_write_bytecode = write
        sys.path.remove(folder)
    return module


class _reported:
    """Turns whatever the user's code raises into one sentence."""

    def __init__(self, what: str):
        self._what = what

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, Exception | SystemExit):
            reason = " ".join(str(error).split())[:300]
            raise FxhwError(f"{self._what} ({kind.__name__}: {reason})") from error
