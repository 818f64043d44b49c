"""The torch functions that a traced module may call, and what each makes of a feature map.

Each takes the recorder, torch's result and torch's arguments, by torch's names, and returns what
the result stands for; or it refuses.
"""

from collections.abc import Callable
from dataclasses import replace

import torch

from ...graph import Concat, MaxPool, Upsample
from .recorder import SUPPORTED, Recorder
from .values import Answer, Features, Linear, OddSize

__all__ = ["OPERATORS"]

OPERATORS: dict[str, Callable] = {}
"""Name of a torch function -> the function here that tells what it makes."""


def _operator(*names: str) -> Callable[[Callable], Callable]:
    """Enter a function as what torch's functions of these names do."""

    def enter(function: Callable) -> Callable:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return enter


# Layers.


@_operator("conv2d")
def _convolve(
    recorder: Recorder, result, input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1
):
    source = recorder.features(input, "conv2d")
    size = tuple(weight.shape[2:])
    wanted = {(3, 3): (1, 1), (1, 1): (0, 0)}.get(size)
    if isinstance(padding, str):
        padding = {"same": wanted, "valid": (0, 0)}.get(padding)
    if (
        wanted is None or _pair(padding) != wanted or _pair(stride) != (1, 1)
        or _pair(dilation) != (1, 1) or groups != 1
    ):
        recorder.refuse(
            "conv2d",
            f"it has kernel {size[0]}x{size[1]}, stride {stride}, padding {padding}, dilation "
            f"{dilation} and {groups} group(s); supported are 3x3 with padding 1 and 1x1 "
            "without, stride 1, dilation 1, 1 group",
        )
    if bias is None:
        bias = torch.zeros(len(weight))
    return Linear(recorder.where, source, weight.double(), bias.double(), _kept(result))


@_operator("batch_norm")
def _normalize(
    recorder: Recorder, result, input, running_mean, running_var, weight=None, bias=None,
    training=False, momentum=0.1, eps=1e-5,
):
    linear = recorder.value(input)
    if not isinstance(linear, Linear):
        recorder.refuse(
            "batch_norm",
            "it must follow a convolution directly: after a ReLU, or before a convolution, its "
            "shift would have to change the zeros that convolutions pad their border with",
        )
    if training or running_mean is None:
        recorder.refuse("batch_norm", "it has no running statistics to fold")
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


@_operator("relu", "relu_")
def _rectify(recorder: Recorder, result, input, inplace=False):
    value = recorder.value(input)
    if isinstance(value, Linear):
        return recorder.make_conv(value)
    return recorder.stored(input, "relu")


@_operator("clamp", "clamp_", "clip", "clip_")
def _clamp(recorder: Recorder, result, input, min=None, max=None):
    if max is not None or isinstance(min, torch.Tensor) or min != 0:
        recorder.refuse("clamp", "the only clamp there is is that of ReLU, at 0 from below")
    return _rectify(recorder, result, input)


@_operator("clamp_min", "clamp_min_")
def _clamp_min(recorder: Recorder, result, input, min):
    return _clamp(recorder, result, input, min)


@_operator("max_pool2d")
def _pool(
    recorder: Recorder, result, input, kernel_size, stride=None, padding=0, dilation=1,
    ceil_mode=False, return_indices=False,
):
    source = recorder.stored(input, "max_pool2d")
    stride = stride or kernel_size
    shape = [_pair(x) for x in (kernel_size, stride, padding, dilation)]
    if shape != [(2, 2), (2, 2), (0, 0), (1, 1)] or return_indices:
        recorder.refuse(
            "max_pool2d",
            f"it has kernel {kernel_size}, stride {stride}, padding {padding} and dilation "
            f"{dilation}; supported is 2x2 with stride 2 and without indices",
        )
    if input.shape[2] % 2 or input.shape[3] % 2:
        raise OddSize
    level = source.level + 1
    recorder.pooled[level] = source.name
    return recorder.make(MaxPool, f"pool_{source.name}", level, input=source.name)


@_operator("interpolate", "upsample")
def _upsample(
    recorder: Recorder, result, input, size=None, scale_factor=None, mode="nearest",
    align_corners=None, recompute_scale_factor=None, antialias=False,
):
    source = recorder.stored(input, "interpolate")
    if result.shape == input.shape:
        return source
    twice = tuple(2 * side for side in input.shape[2:])
    if mode not in ("nearest", "nearest-exact") or tuple(result.shape[2:]) != twice:
        before, after = ("x".join(map(str, x.shape[2:])) for x in (input, result))
        recorder.refuse(
            "interpolate",
            f"it has mode {mode} and makes {after} of {before}; supported is nearest by 2",
        )
    if not source.level:
        recorder.refuse("interpolate", "the result would be larger than the image")
    like = recorder.pooled[source.level]
    name = f"up_{source.name}"
    return recorder.make(Upsample, name, source.level - 1, input=source.name, like=like)


@_operator("cat", "concat", "concatenate")
def _concatenate(recorder: Recorder, result, tensors, dim=0, axis=None):
    dim = dim if axis is None else axis
    if dim not in (1, -3) or len(tensors) != 2:
        recorder.refuse(
            "cat", f"it joins {len(tensors)} tensors along axis {dim}; supported are 2 along 1"
        )
    first, second = (recorder.stored(tensor, "cat") for tensor in tensors)
    inputs = (first.name, second.name)
    return recorder.make(Concat, f"cat_{first.name}_{second.name}", first.level, inputs=inputs)


# What changes nothing.


@_operator(
    "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"
)
def _drop(recorder: Recorder, result, input, p=0.5, training=True, inplace=False):
    if training:
        recorder.refuse("dropout", "it drops in evaluation too; pass training=self.training")
    return recorder.value(input)


@_operator("feature_dropout")
def _drop_features(recorder: Recorder, result, input, p, train):
    return _drop(recorder, result, input, p, train)


@_operator(
    "clone", "contiguous", "detach", "detach_", "float", "to", "cpu", "type", "int", "long", "byte",
    "bool", "alias",
)
def _keep(recorder: Recorder, result, input, *args, **kwargs):
    value = recorder.value(input)
    if result.dtype != input.dtype and not isinstance(value, Answer):
        recorder.refuse("to", f"it makes {result.dtype} of {input.dtype}; keep to one type")
    return value


@_operator("pad")
def _pad(recorder: Recorder, result, input, pad, mode="constant", value=None):
    if any(pad):
        recorder.refuse("pad", "it changes the size of a feature map; pad by convolutions alone")
    return recorder.value(input)


# What may be made of a feature map's size, and of the last convolution.


@_operator("__getitem__")
def _index(recorder: Recorder, result, input, key):
    value = recorder.value(input)
    if result.shape == input.shape and _whole(key):
        return value
    if isinstance(value, Answer | Linear):
        channel, channels = _chosen(key), value.channels
        if channels == 1 and channel in (0, -1):
            return _squeeze(recorder, result, input)
        if isinstance(value, Answer) and value.kind == "softmax" and channel in (1, -1):
            return value
    recorder.refuse("slicing", "it may cut a feature map to the size of another, nothing else")


@_operator("squeeze")
def _squeeze(recorder: Recorder, result, input, dim=None):
    value = recorder.value(input)
    if not isinstance(value, Answer | Linear):
        recorder.refuse("squeeze", f"supported are {SUPPORTED}")
    return value if isinstance(value, Answer) else Answer(value, "logits")


@_operator("sigmoid", "sigmoid_")
def _sigmoid(recorder: Recorder, result, input):
    return _answer(recorder, input, "sigmoid")


@_operator("softmax", "log_softmax")
def _softmax(recorder: Recorder, result, input, dim=None, **options):
    return _over_channels(recorder, input, dim)


@_operator("argmax")
def _argmax(recorder: Recorder, result, input, dim=None, keepdim=False):
    value = recorder.value(input)
    if isinstance(value, Answer) and value.kind == "softmax":
        return value
    return _over_channels(recorder, input, dim)


@_operator("gt", "ge", "__gt__", "__ge__")
def _compare(recorder: Recorder, result, input, other):
    value = recorder.value(input)
    kind = value.kind if isinstance(value, Answer) else "logits"
    wanted = 0 if kind == "logits" else 0.5
    if isinstance(value, Features) or isinstance(other, torch.Tensor) or other != wanted:
        recorder.refuse("comparison", "the mask is where the logit is at least 0")
    return value if isinstance(value, Answer) else Answer(value, "logits")


def _over_channels(recorder: Recorder, input, dim) -> Answer:
    if dim not in (1, -3):
        recorder.refuse("softmax", f"it goes along axis {dim}, not along the channels, axis 1")
    return _answer(recorder, input, "softmax")


def _answer(recorder: Recorder, input, kind: str) -> Answer:
    value = recorder.value(input)
    if not isinstance(value, Linear):
        recorder.refuse(kind, "it may only follow the last convolution")
    return Answer(value, kind)


# Torch's arguments.


def _kept(result: torch.Tensor) -> torch.Tensor | None:
    """A copy of what may be the logits."""
    return result.clone() if result.shape[1] <= 2 else None


def _pair(value) -> tuple:
    """(vertical, horizontal) of torch's number or pair."""
    if not isinstance(value, list | tuple):
        return (value, value)
    return tuple(value) * (2 if len(value) == 1 else 1)


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
