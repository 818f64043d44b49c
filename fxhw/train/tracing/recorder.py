"""Watches a module run, and keeps what its tensors stand for and the layers they come from."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ...errors import FxhwError
from ...graph import Concat
from ...graph.unet import ConvShape
from .topology import TracedTopology
from .values import Answer, Features, Linear

__all__ = ["SUPPORTED", "Parameters", "Recorder"]

Parameters = dict[str, tuple[torch.Tensor, torch.Tensor]]
"""Layer name, ``head`` included -> float weight and bias."""

SUPPORTED = (
    "3x3 and 1x1 convolutions, batch-norm, ReLU, 2x2 max-pooling, nearest upsampling by 2, "
    "concatenation of two and a last 1x1 convolution"
)

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


class Recorder(TorchFunctionMode):
    """Watches torch functions and keeps, for every tensor of the network, what it stands for.

    Parameters
    ----------
    image : what the module will run on.
    operators : name of a torch function -> a function of the recorder, of torch's result and of
        torch's arguments, which says what the result stands for.
    """

    def __init__(self, image: torch.Tensor, operators: Mapping[str, Callable]):
        super().__init__()
        self.logits = None
        self.pooled: dict[int, str] = {}  # level -> tensor whose pooling leads there
        self._operators = operators
        self._path: list[str] = []
        self._layers: list = []
        self._parameters: Parameters = {}
        self._known = {}  # id -> (tensor, value): the tensor is kept so that its id stays its own
        self._made = {}  # layer without its name -> its value, to make equal layers once
        self._image_channels = image.shape[1]
        self._learn(image, Features("image", 0))

    # The run.

    def enter(self, name: str):
        """A hook for when the module called ``name`` begins."""
        return lambda module, inputs: self._path.append(name)

    def leave(self, module, inputs, output) -> None:
        """A hook for when a module ends."""
        self._path.pop()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(func, "__name__", str(func))
        values = [self.value(tensor) for tensor in _tensors((args, kwargs))]
        if not any(values):
            return func(*args, **kwargs)
        if name in _ESCAPES:
            self.refuse(name, "values of feature maps must not steer the network")
        result = func(*args, **kwargs)
        if not list(_tensors(result)):
            return result
        operator = self._operators.get(name)
        # This name stands for a function with arguments in another order, too.
        if operator is None or func is torch.batch_norm:
            self.refuse(name, _HINTS.get(name, f"supported are {SUPPORTED}"))
        try:
            inspect.signature(operator).bind(self, result, *args, **kwargs)
        except TypeError:
            self.refuse(name, f"it is called in an unknown way; supported are {SUPPORTED}")
        self._learn(result, operator(self, result, *args, **kwargs))
        return result

    def _learn(self, tensor, value) -> None:
        self._known[id(tensor)] = (tensor, value)

    # What operators ask and tell.

    @property
    def where(self) -> str:
        """The module that runs."""
        return self._path[-1] if self._path else "forward"

    def refuse(self, name: str, why: str):
        """Raise FxhwError: operator ``name`` is none that there is, for the reason ``why``."""
        shown = "a tensor's attribute" if name == "__get__" else f"operator {name}"
        raise FxhwError(f"Layer {self.where}: {shown} is not supported; {why}")

    def value(self, tensor):
        """What a tensor stands for, None if it is none of the network's."""
        return self._known.get(id(tensor), (None, None))[1]

    def features(self, tensor, name: str) -> Features:
        """The feature map that ``tensor`` is, or a refusal of operator ``name``."""
        value = self.value(tensor)
        if isinstance(value, Linear):
            self.refuse(
                name,
                f"it reads convolution {value.where} without a ReLU, and stored feature maps are "
                "never negative",
            )
        if not isinstance(value, Features):
            self.refuse(name, "it reads something else than a feature map of the network")
        return value

    def stored(self, tensor, name: str) -> Features:
        """As :meth:`features`, the image excluded."""
        value = self.features(tensor, name)
        if value.name == "image":
            self.refuse(name, "the image can be read by convolutions alone")
        return value

    def make(self, kind, name: str, level: int, **fields) -> Features:
        """A layer of ``kind`` and its result; one made before if it is the same."""
        key = kind, tuple(fields.values())
        if key not in self._made:
            name = self._unique(name)
            self._layers.append(kind(name=name, output=name, **fields))
            self._made[key] = Features(name, level)
        return self._made[key]

    def make_conv(self, linear: Linear) -> Features:
        """A 3x3 convolution with its ReLU, and its result."""
        weight = linear.weight
        if weight.shape[2:] == (1, 1):
            weight = nn.functional.pad(weight, (1, 1, 1, 1))
        name = self._unique(linear.where if linear.where != "forward" else "conv")
        self._parameters[name] = (weight.float(), linear.bias.float())
        out_channels, in_channels = weight.shape[:2]
        self._layers.append(ConvShape(name, linear.source.name, name, in_channels, out_channels))
        return Features(name, linear.source.level)

    def _unique(self, name: str) -> str:
        """``name`` as a name of the graph that nothing has yet."""
        name = re.sub(r"\W", "_", name, flags=re.ASCII)
        taken = {"image", "head", "logits"} | {layer.name for layer in self._layers}
        # Torch keeps layers as attributes, so a layer cannot have a method's name.
        candidates = (name, *(f"{name}_{count}" for count in range(2, len(taken) + 4)))
        return next(c for c in candidates if c not in taken and not hasattr(nn.ModuleDict, c))

    # The result.

    def finish(self, output) -> None:
        """Take the module's result for the logits.

        Raises
        ------
        FxhwError if it is no mask of two classes, made by a 1x1 convolution.
        """
        if isinstance(output, dict):
            output = output.get("out", next(iter(output.values())) if len(output) == 1 else None)
        if isinstance(output, list | tuple) and len(output) == 1:
            output = output[0]
        value = self.value(output)
        if value is None:
            raise FxhwError(
                f"The module returns {type(output).__name__}, not one tensor made of its image"
            )
        kind = "logits"
        if isinstance(value, Answer):
            value, kind = value.linear, value.kind
        if not isinstance(value, Linear):
            raise FxhwError("The module returns a feature map; it must end in a 1x1 convolution")
        self._head, self.logits = _one_logit(value, kind)

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


def _one_logit(linear: Linear, kind: str) -> tuple[Linear, torch.Tensor]:
    """``linear`` as one logit, foreground where it is at least 0, and torch's values of it."""
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
    return replace(linear, weight=weight, bias=bias), logits


def _tensors(item) -> Iterator[torch.Tensor]:
    """Tensors within nested tuples, lists and dicts."""
    if isinstance(item, torch.Tensor):
        yield item
    elif isinstance(item, dict):
        for part in item.values():
            yield from _tensors(part)
    elif isinstance(item, list | tuple):
        for part in item:
            yield from _tensors(part)
