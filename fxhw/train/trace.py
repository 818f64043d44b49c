"""A user's own torch module as this package's graph: layers, and parameters with batch-norm folded.

The module runs once on a random image while a recorder watches every torch function it calls.
Convolutions, batch-norms, ReLUs, poolings, upsamplings and concatenations become layers; whatever
else changes a feature map is refused.  Watching a run, instead of reading the code, leaves the
module free in how it is written: in nested modules or functional calls, in-place or not, with
sizes that it compares, crops or pads by.  At the end the recorded network computes the same image
again, and must come to the module's own result.
"""

import inspect
import re
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ..errors import FxhwError
from ..graph import Concat, MaxPool, Upsample
from ..graph.unet import ConvShape
from .unet import QuantUNet

__all__ = ["Parameters", "TracedTopology", "trace"]

Parameters = dict[str, tuple[torch.Tensor, torch.Tensor]]
"""Layer name, ``head`` included -> float weight and bias."""

SUPPORTED = (
    "3x3 and 1x1 convolutions, batch-norm, ReLU, 2x2 max-pooling, nearest upsampling by 2, "
    "concatenation of two and a last 1x1 convolution"
)

_SIZES = ((64, 96), (128, 192), (256, 384), (512, 768))
"""(height, width) of the image a module runs on: the first that halves without a rest."""

_HINTS = {
    "conv_transpose2d": "upsample by nn.Upsample(scale_factor=2) and a 3x3 convolution instead",
    "add": "residual sums have no hardware; concatenate instead",
    "add_": "residual sums have no hardware; concatenate instead",
    "__add__": "residual sums have no hardware; concatenate instead",
    "__iadd__": "residual sums have no hardware; concatenate instead",
    "avg_pool2d": "use 2x2 max-pooling",
    "adaptive_avg_pool2d": "use 2x2 max-pooling",
    "group_norm": "only batch-norm folds into a convolution",
    "instance_norm": "only batch-norm folds into a convolution",
    "layer_norm": "only batch-norm folds into a convolution",
} | dict.fromkeys(
    ("leaky_relu", "leaky_relu_", "prelu", "elu", "elu_", "gelu", "silu", "hardtanh", "hardtanh_",
     "relu6", "tanh", "hardswish", "mish", "selu", "softplus"),
    "use ReLU",
)
"""Operator -> what to do instead."""

_ESCAPES = {
    "item", "tolist", "numpy", "__array__", "__bool__", "__float__", "__int__", "__index__",
    "__setitem__", "__contains__", "equal", "allclose",
}
"""Functions whose result is no tensor, and with which a feature map would escape notice."""


@dataclass(frozen=True)
class TracedTopology:
    """What a module is made of, in the terms of :class:`fxhw.graph.UNetTopology`.

    Parameters
    ----------
    layers : ConvShape, MaxPool, Upsample and Concat in order, without the head.
    head_input : tensor the 1x1 head reads.
    image_channels : channels of the image.
    """

    layers: tuple
    head_input: str
    image_channels: int

    @property
    def convs(self) -> list[ConvShape]:
        """The 3x3 convolutions in order."""
        return [layer for layer in self.layers if isinstance(layer, ConvShape)]

    @property
    def depth(self) -> int:
        """Levels below the image's; sizes that are multiples of ``2**depth`` halve without rest."""
        level = {"image": 0}
        for layer in self.layers:
            source = layer.inputs[0] if isinstance(layer, Concat) else layer.input
            step = {MaxPool: 1, Upsample: -1}.get(type(layer), 0)
            level[layer.output] = level[source] + step
        return max(level.values())


def trace(
    module: nn.Module, image_channels: int | None = None
) -> tuple[TracedTopology, Parameters]:
    """Layers and folded parameters of ``module``, which is put in evaluation mode.

    Parameters
    ----------
    image_channels : channels of the image (default: those of the first convolution).

    Raises
    ------
    FxhwError naming the layer and the operator, if the module is not a network of the supported
    operators or fails to run.
    """
    channels = image_channels or _image_channels(module)
    module.eval()
    for size in _SIZES:
        generator = torch.Generator().manual_seed(0)
        image = torch.rand((2, channels, *size), generator=generator)
        try:
            recorder = _run(module, image)
        except _OddSize:
            continue
        topology, parameters = recorder.result()
        _check(topology, parameters, image, recorder.logits)
        return topology, parameters
    raise FxhwError(
        f"The module halves an image of {_SIZES[-1][0]}x{_SIZES[-1][1]} more often than it can "
        "be halved; at most 8 poolings are supported"
    )


def _image_channels(module: nn.Module) -> int:
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            return layer.in_channels
    for tensor in module.parameters():
        if tensor.ndim == 4:
            return tensor.shape[1]
    raise FxhwError(f"Module {type(module).__name__} has no convolution; supported are {SUPPORTED}")


@torch.no_grad()
def _run(module: nn.Module, image: torch.Tensor) -> "_Recorder":
    """Run ``module`` on ``image`` under a recorder."""
    recorder = _Recorder(image)
    hooks = []
    for name, part in module.named_modules():
        if name:
            hooks.append(part.register_forward_pre_hook(recorder.enter(name)))
            hooks.append(part.register_forward_hook(recorder.leave))
    try:
        with recorder:
            output = module(image)
        recorder.finish(output)
    except (FxhwError, _OddSize):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise FxhwError(
            f"Module {type(module).__name__} fails on an image of {image.shape[1]} channel(s), "
            f"{image.shape[2]}x{image.shape[3]} ({type(error).__name__}: {reason})"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    return recorder


def _check(topology, parameters, image, expected) -> None:
    """Refuse a recording that computes something else than the module did."""
    with torch.no_grad():
        result = QuantUNet(topology, parameters, 8, 8)(image)
    error, largest = (float(x.abs().max()) for x in (result - expected, expected))
    if not error <= 1e-3 * max(largest, 1e-3):
        raise FxhwError(
            f"The module does something that was not recorded: its logits reach {largest:.3g}, "
            f"and the recorded layers are off by {error:.3g}; keep to {SUPPORTED}"
        )


class _OddSize(Exception):
    """A pooling of an odd size: the image is too small to be traced with."""


@dataclass(frozen=True)
class _Features:
    """A tensor of the graph: the image, or values that are not negative."""

    name: str
    level: int


@dataclass(frozen=True, eq=False)
class _Linear:
    """A convolution without its ReLU, batch-norms folded; ``result`` is what torch computed."""

    where: str
    source: _Features
    weight: torch.Tensor
    bias: torch.Tensor
    result: torch.Tensor | None

    @property
    def channels(self) -> int:
        return len(self.bias)


@dataclass(frozen=True, eq=False)
class _Answer:
    """What is made of the last convolution's logits without changing the mask."""

    linear: _Linear
    kind: str

    @property
    def channels(self) -> int:
        return self.linear.channels


class _Recorder(TorchFunctionMode):
    """Watches torch functions and keeps, for every tensor of the network, what it stands for."""

    def __init__(self, image: torch.Tensor):
        super().__init__()
        self.logits = None
        self._path: list[str] = []
        self._layers: list = []
        self._parameters: Parameters = {}
        self._known = {}  # id -> (tensor, value): the tensor is kept so that its id stays its own
        self._made = {}  # layer without its name -> its value, to make equal layers once
        self._pooled = {}  # level -> tensor whose pooling leads there
        self._image_channels = image.shape[1]
        self._learn(image, _Features("image", 0))

    def enter(self, name: str):
        """A hook for when the module called ``name`` begins."""
        return lambda module, inputs: self._path.append(name)

    def leave(self, module, inputs, output) -> None:
        """A hook for when a module ends."""
        self._path.pop()

    def result(self) -> tuple[TracedTopology, Parameters]:
        """The layers that the logits depend on, and their parameters."""
        needed, layers = {self._head.source.name}, []
        for layer in reversed(self._layers):
            if layer.output in needed:
                needed |= set(layer.inputs if isinstance(layer, Concat) else [layer.input])
                layers.insert(0, layer)
        names = [layer.name for layer in layers if isinstance(layer, ConvShape)]
        parameters = {name: self._parameters[name] for name in names}
        parameters["head"] = (self._head.weight.float(), self._head.bias.float())
        topology = TracedTopology(tuple(layers), self._head.source.name, self._image_channels)
        return topology, parameters

    def finish(self, output) -> None:
        """Take the module's result for the logits."""
        if isinstance(output, dict):
            output = output.get("out", next(iter(output.values())) if len(output) == 1 else None)
        if isinstance(output, list | tuple) and len(output) == 1:
            output = output[0]
        value = self._value(output)
        if value is None:
            raise FxhwError(
                f"The module returns {type(output).__name__}, not one tensor made of its image"
            )
        kind = "logits"
        if isinstance(value, _Answer):
            value, kind = value.linear, value.kind
        if not isinstance(value, _Linear):
            raise FxhwError("The module returns a feature map; it must end in a 1x1 convolution")
        self._head = self._one_logit(value, kind)

    def _one_logit(self, linear: _Linear, kind: str) -> _Linear:
        """``linear`` as one logit, foreground where it is at least 0."""
        channels = linear.channels
        if linear.weight.shape[2:] != (1, 1):
            raise FxhwError(f"Layer {linear.where}: the last convolution must be 1x1, not 3x3")
        if linear.source.level or linear.source.name == "image":
            raise FxhwError(
                f"Layer {linear.where}: the last convolution must read a feature map of the "
                "image's size"
            )
        if channels > 2:
            raise FxhwError(
                f"Layer {linear.where}: the last convolution has {channels} channels; fxhw "
                "segments two classes, by 1 logit or 2"
            )
        if kind == "sigmoid" and channels == 2 or kind == "softmax" and channels == 1:
            raise FxhwError(
                f"Layer {linear.where}: a {kind} of {channels} channel(s) is no answer with two "
                "classes; use a sigmoid of 1 or a softmax of 2"
            )
        weight, bias, logits = linear.weight, linear.bias, linear.result
        if channels == 2:
            weight, bias = weight[1:] - weight[:1], bias[1:] - bias[:1]
            logits = logits[:, 1:] - logits[:, :1]
        self.logits = logits
        return replace(linear, weight=weight, bias=bias)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(func, "__name__", str(func))
        values = [self._value(tensor) for tensor in _tensors((args, kwargs))]
        if not any(values):
            return func(*args, **kwargs)
        if name in _ESCAPES:
            self._refuse(name, "values of feature maps must not steer the network")
        result = func(*args, **kwargs)
        if not list(_tensors(result)):
            return result
        handler = getattr(self, f"_on_{_ALIASES.get(name, name)}", None)
        # This name stands for a function with arguments in another order, too.
        if handler is None or func is torch.batch_norm:
            self._refuse(name, _HINTS.get(name, f"supported are {SUPPORTED}"))
        try:
            inspect.signature(handler).bind(result, *args, **kwargs)
        except TypeError:
            self._refuse(name, f"it is called in an unknown way; supported are {SUPPORTED}")
        self._learn(result, handler(result, *args, **kwargs))
        return result

    def _value(self, tensor):
        """What a tensor stands for, None if it is none of the network's."""
        return self._known.get(id(tensor), (None, None))[1]

    def _learn(self, tensor, value) -> None:
        self._known[id(tensor)] = (tensor, value)

    @property
    def _where(self) -> str:
        return self._path[-1] if self._path else "forward"

    def _refuse(self, name: str, why: str):
        shown = "a tensor's attribute" if name == "__get__" else f"operator {name}"
        raise FxhwError(f"Layer {self._where}: {shown} is not supported; {why}")

    def _features(self, tensor, name: str) -> _Features:
        """The feature map that ``tensor`` is, or a refusal of operator ``name``."""
        value = self._value(tensor)
        if isinstance(value, _Linear):
            self._refuse(
                name,
                f"it reads convolution {value.where} without a ReLU, and stored feature maps are "
                "never negative",
            )
        if not isinstance(value, _Features):
            self._refuse(name, "it reads something else than a feature map of the network")
        return value

    def _stored(self, tensor, name: str) -> _Features:
        """As :meth:`_features`, the image excluded."""
        value = self._features(tensor, name)
        if value.name == "image":
            self._refuse(name, "the image can be read by convolutions alone")
        return value

    def _make(self, kind, name: str, level: int, **fields) -> _Features:
        """A layer and its result; one made before if it is the same."""
        key = kind, tuple(fields.values())
        if key not in self._made:
            name = self._unique(name)
            self._layers.append(kind(name=name, output=name, **fields))
            self._made[key] = _Features(name, level)
        return self._made[key]

    def _unique(self, name: str) -> str:
        """``name`` as a name of the graph that nothing has yet."""
        name = re.sub(r"\W", "_", name, flags=re.ASCII)
        taken = {"image", "head", "logits"} | {layer.name for layer in self._layers}
        # Torch keeps layers as attributes, so a layer cannot have a method's name.
        candidates = (name, *(f"{name}_{count}" for count in range(2, len(taken) + 4)))
        return next(c for c in candidates if c not in taken and not hasattr(nn.ModuleDict, c))

    # Operators: each gets torch's result and arguments and says what the result stands for.

    def _on_conv2d(
        self, result, input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1
    ):
        source = self._features(input, "conv2d")
        size = tuple(weight.shape[2:])
        wanted = {(3, 3): (1, 1), (1, 1): (0, 0)}.get(size)
        if isinstance(padding, str):
            padding = {"same": wanted, "valid": (0, 0)}.get(padding)
        if (
            wanted is None or _pair(padding) != wanted or _pair(stride) != (1, 1)
            or _pair(dilation) != (1, 1) or groups != 1
        ):
            self._refuse(
                "conv2d",
                f"it has kernel {size[0]}x{size[1]}, stride {stride}, padding {padding}, dilation "
                f"{dilation} and {groups} group(s); supported are 3x3 with padding 1 and 1x1 "
                "without, stride 1, dilation 1, 1 group",
            )
        if bias is None:
            bias = torch.zeros(len(weight))
        return _Linear(self._where, source, weight.double(), bias.double(), _kept(result))

    def _on_batch_norm(
        self, result, input, running_mean, running_var, weight=None, bias=None, training=False,
        momentum=0.1, eps=1e-5,
    ):
        linear = self._value(input)
        if not isinstance(linear, _Linear):
            self._refuse(
                "batch_norm",
                "it must follow a convolution directly: after a ReLU, or before a convolution, its "
                "shift would have to change the zeros that convolutions pad their border with",
            )
        if training or running_mean is None:
            self._refuse("batch_norm", "it has no running statistics to fold")
        scale = 1 / torch.sqrt(running_var.double() + eps)
        if weight is not None:
            scale = scale * weight.double()
        shift = (linear.bias - running_mean.double()) * scale
        return replace(
            linear,
            weight=linear.weight * scale.view(-1, 1, 1, 1),
            bias=shift if bias is None else shift + bias.double(),
            result=_kept(result),
        )

    def _on_relu(self, result, input, inplace=False):
        linear = self._value(input)
        if not isinstance(linear, _Linear):
            return self._stored(input, "relu")
        weight = linear.weight
        if weight.shape[2:] == (1, 1):
            weight = nn.functional.pad(weight, (1, 1, 1, 1))
        name = self._unique(linear.where if linear.where != "forward" else "conv")
        self._parameters[name] = (weight.float(), linear.bias.float())
        out_channels, in_channels = weight.shape[:2]
        self._layers.append(ConvShape(name, linear.source.name, name, in_channels, out_channels))
        return _Features(name, linear.source.level)

    def _on_clamp(self, result, input, min=None, max=None):
        if max is not None or isinstance(min, torch.Tensor) or min != 0:
            self._refuse("clamp", "the only clamp there is is that of ReLU, at 0 from below")
        return self._on_relu(result, input)

    def _on_clamp_min(self, result, input, min):
        return self._on_clamp(result, input, min)

    def _on_max_pool2d(
        self, result, input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
        return_indices=False,
    ):
        source = self._stored(input, "max_pool2d")
        stride = stride or kernel_size
        shape = [_pair(x) for x in (kernel_size, stride, padding, dilation)]
        if shape != [(2, 2), (2, 2), (0, 0), (1, 1)] or return_indices:
            self._refuse(
                "max_pool2d",
                f"it has kernel {kernel_size}, stride {stride}, padding {padding} and dilation "
                f"{dilation}; supported is 2x2 with stride 2 and without indices",
            )
        if input.shape[2] % 2 or input.shape[3] % 2:
            raise _OddSize
        level = source.level + 1
        self._pooled[level] = source.name
        return self._make(MaxPool, f"pool_{source.name}", level, input=source.name)

    def _on_interpolate(
        self, result, input, size=None, scale_factor=None, mode="nearest", align_corners=None,
        recompute_scale_factor=None, antialias=False,
    ):
        source = self._stored(input, "interpolate")
        if result.shape == input.shape:
            return source
        twice = tuple(2 * side for side in input.shape[2:])
        if mode not in ("nearest", "nearest-exact") or tuple(result.shape[2:]) != twice:
            before, after = ("x".join(map(str, x.shape[2:])) for x in (input, result))
            self._refuse(
                "interpolate",
                f"it has mode {mode} and makes {after} of {before}; supported is nearest by 2",
            )
        if not source.level:
            self._refuse("interpolate", "the result would be larger than the image")
        like = self._pooled[source.level]
        name = f"up_{source.name}"
        return self._make(Upsample, name, source.level - 1, input=source.name, like=like)

    def _on_cat(self, result, tensors, dim=0, axis=None):
        dim = dim if axis is None else axis
        if dim not in (1, -3) or len(tensors) != 2:
            self._refuse(
                "cat", f"it joins {len(tensors)} tensors along axis {dim}; supported are 2 along 1"
            )
        first, second = (self._stored(tensor, "cat") for tensor in tensors)
        inputs = (first.name, second.name)
        return self._make(Concat, f"cat_{first.name}_{second.name}", first.level, inputs=inputs)

    def _on_dropout(self, result, input, p=0.5, training=True, inplace=False):
        if training:
            self._refuse("dropout", "it drops in evaluation too; pass training=self.training")
        return self._value(input)

    def _on_feature_dropout(self, result, input, p, train):
        return self._on_dropout(result, input, p, train)

    def _on_same(self, result, input, *args, **kwargs):
        if result.dtype != input.dtype and not isinstance(self._value(input), _Answer):
            self._refuse("to", f"it makes {result.dtype} of {input.dtype}; keep to one type")
        return self._value(input)

    def _on_pad(self, result, input, pad, mode="constant", value=None):
        if any(pad):
            self._refuse("pad", "it changes the size of a feature map; pad by convolutions alone")
        return self._value(input)

    def _on___getitem__(self, result, input, key):
        value = self._value(input)
        if result.shape == input.shape and _whole(key):
            return value
        if isinstance(value, _Answer | _Linear):
            channel, channels = _chosen(key), value.channels
            if channels == 1 and channel in (0, -1):
                return self._on_squeeze(result, input)
            if isinstance(value, _Answer) and value.kind == "softmax" and channel in (1, -1):
                return value
        self._refuse("slicing", "it may cut a feature map to the size of another, nothing else")

    def _on_squeeze(self, result, input, dim=None):
        value = self._value(input)
        if not isinstance(value, _Answer | _Linear):
            self._refuse("squeeze", f"supported are {SUPPORTED}")
        return value if isinstance(value, _Answer) else _Answer(value, "logits")

    def _on_sigmoid(self, result, input):
        return self._answer(input, "sigmoid")

    def _on_softmax(self, result, input, dim=None, **options):
        return self._over_channels(input, dim, "softmax")

    def _on_argmax(self, result, input, dim=None, keepdim=False):
        value = self._value(input)
        if isinstance(value, _Answer) and value.kind == "softmax":
            return value
        return self._over_channels(input, dim, "softmax")

    def _over_channels(self, input, dim, kind):
        if dim not in (1, -3):
            self._refuse(kind, f"it goes along axis {dim}, not along the channels, axis 1")
        return self._answer(input, kind)

    def _answer(self, input, kind: str) -> _Answer:
        value = self._value(input)
        if not isinstance(value, _Linear):
            self._refuse(kind, "it may only follow the last convolution")
        return _Answer(value, kind)

    def _on_compare(self, result, input, other):
        value = self._value(input)
        kind = value.kind if isinstance(value, _Answer) else "logits"
        wanted = 0 if kind == "logits" else 0.5
        if isinstance(value, _Features) or isinstance(other, torch.Tensor) or other != wanted:
            self._refuse("comparison", "the mask is where the logit is at least 0")
        return value if isinstance(value, _Answer) else _Answer(value, "logits")


_ALIASES = {
    "relu_": "relu",
    "threshold": "unknown",
    "clamp_": "clamp",
    "clip": "clamp",
    "clip_": "clamp",
    "clamp_min_": "clamp_min",
    "concat": "cat",
    "concatenate": "cat",
    "dropout1d": "dropout",
    "dropout2d": "dropout",
    "dropout3d": "dropout",
    "alpha_dropout": "dropout",
    "feature_alpha_dropout": "dropout",
    "upsample": "interpolate",
    "sigmoid_": "sigmoid",
    "logsigmoid": "unknown",
    "log_softmax": "softmax",
    "gt": "compare",
    "ge": "compare",
    "__gt__": "compare",
    "__ge__": "compare",
} | dict.fromkeys(
    ("clone", "contiguous", "detach", "detach_", "float", "to", "cpu", "type", "int", "long",
     "byte", "bool", "alias"),
    "same",
)
"""Function -> the handler of :class:`_Recorder` it shares."""


def _tensors(item):
    """Tensors within nested tuples, lists and dicts."""
    if isinstance(item, torch.Tensor):
        yield item
    elif isinstance(item, dict):
        for part in item.values():
            yield from _tensors(part)
    elif isinstance(item, list | tuple):
        for part in item:
            yield from _tensors(part)


def _kept(result: torch.Tensor) -> torch.Tensor | None:
    """A copy of what may be the logits."""
    return result.clone() if result.shape[1] <= 2 else None


def _pair(value) -> tuple:
    """(vertical, horizontal) of torch's number or pair."""
    return tuple(value) * (2 if len(value) == 1 else 1) if isinstance(value, list | tuple) else (
        value, value
    )


def _whole(key) -> bool:
    """Whether an index that keeps the shape keeps the order too."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(p is Ellipsis or isinstance(p, slice) and p.step in (None, 1) for p in parts)


def _chosen(key) -> int | None:
    """The one channel an index picks, None for any other index."""
    parts = key if isinstance(key, tuple) else (key,)
    if len(parts) < 2 or not _whole((parts[0], *parts[2:])):
        return None
    part = parts[1]
    if isinstance(part, slice) and part.step in (None, 1):
        return part.start or 0 if part.stop == (part.start or 0) + 1 else None
    return part if isinstance(part, int) else None
