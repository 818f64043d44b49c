"""Runs a quantized network operator by operator."""

from collections.abc import Iterator, Mapping

import numpy as np

from ..graph import Concat, Conv, MaxPool, Network, TensorInfo, Upsample
from .conv import conv3x3

__all__ = ["run_network", "run_op", "iterate_network"]


def run_op(op, inputs: list[np.ndarray], info: list[TensorInfo], like: TensorInfo | None = None):
    """Result (int64) of one operator on its ``inputs``, whose formats ``info`` gives.

    ``like`` is the tensor an :class:`~fxhw.graph.Upsample` is cropped to.
    """
    x = inputs[0]
    if isinstance(op, Conv):
        acc = conv3x3(x, op.codes, op.accumulator(info[0].format))
        return op.requantize(info[0].format).compute(
            acc, op.rounded_bias(info[0].format), op.shift(info[0].format), op.multiplier
        )
    if isinstance(op, MaxPool):
        height, width, channels = x.shape
        # An odd end once more leaves its maximum as it is.
        padded = np.pad(x, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        return padded.reshape(-(-height // 2), 2, -(-width // 2), 2, channels).max(axis=(1, 3))
    if isinstance(op, Upsample):
        return x.repeat(2, axis=0).repeat(2, axis=1)[: like.height, : like.width]
    if isinstance(op, Concat):
        return np.concatenate(inputs, axis=2)
    return x @ op.codes.astype(np.int64)[:, None] + op.bias


def iterate_network(network: Network, image: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (tensor name, codes) for every operator in order, keeping only what is still read.

    Parameters
    ----------
    image : (height, width, channels) codes of the network's image format, any size, as
        :meth:`~fxhw.graph.Network.prepare` gives them.

    Raises
    ------
    FxhwError if the image's channels or codes do not fit the network.
    """
    image = np.asarray(image)
    network.check_image(image)
    info = network.tensors(image.shape[:2])
    last_use = {}
    for index, op in enumerate(network.ops):
        for name in op.inputs if isinstance(op, Concat) else (op.input,):
            last_use[name] = index
    values: dict[str, np.ndarray] = {"image": image.astype(np.int64)}
    for index, op in enumerate(network.ops):
        names = op.inputs if isinstance(op, Concat) else (op.input,)
        like = info[op.like] if isinstance(op, Upsample) else None
        result = run_op(op, [values[n] for n in names], [info[n] for n in names], like)
        for name in names:
            if last_use[name] == index:
                values.pop(name, None)
        values[op.output] = result
        yield op.output, result


def run_network(
    network: Network, image: np.ndarray, keep: bool = False
) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
    """Mask of a prepared ``image``, and every tensor by name if ``keep`` (else the logits alone).

    Returns
    -------
    mask : bool (height, width), true where logit >= 0.
    tensors : name -> int64 (height, width, channels).
    """
    tensors = {}
    for name, codes in iterate_network(network, image):
        if keep:
            tensors[name] = codes
        last = name, codes
    name, logits = last
    tensors[name] = logits
    return logits[:, :, 0] >= 0, tensors
