"""Random networks for tests, of any width, with lively activations: few zero, few saturated."""

import numpy as np

from fxhw.fixed import (
    Accumulator,
    ActivationFormat,
    FixedFormat,
    Requantize,
    SignActivation,
    SignedActivation,
    TernaryActivation,
    WeightFormat,
)
from fxhw.golden import conv3x3, run_op
from fxhw.graph import Conv, Head, MaxPool, Network, TensorInfo, UNetTopology, Upsample
from fxhw.graph.unet import ConvShape


def random_image(rng, size, channels=1, bits=8):
    """uint8 (height, width, channels) codes: smooth blobs plus noise, over the whole range."""
    height, width = size
    y, x = np.mgrid[:height, :width].astype(float)
    planes = []
    for _ in range(channels):
        plane = rng.normal(0, 0.3, (height, width))
        for _ in range(4):
            fy, fx, phase = rng.uniform(0.05, 0.8, 2).tolist() + [rng.uniform(0, 6.3)]
            plane += np.sin(fy * y + fx * x + phase)
        planes.append(plane)
    image = np.stack(planes, axis=2)
    image = (image - image.min()) / max(np.ptp(image), 1e-9)
    return np.minimum(image * (1 << bits), (1 << bits) - 1).astype(np.uint8)


def activation_format(kind: str, bits: int, frac: int = 0) -> FixedFormat:
    """Format of an activation ``kind``; ternary and sign come in one width, sign without frac."""
    if kind == "ternary":
        return TernaryActivation(frac)
    if kind == "sign":
        return SignActivation()
    return {"unsigned": ActivationFormat, "signed": SignedActivation}[kind](bits, frac)


def weight_format(kind: str, bits: int) -> WeightFormat:
    """Format of a weight ``kind``, ``bits`` brought into its range."""
    low, high = {"fixed": (1, 16), "ternary": (2, 2), "power": (3, 7)}[kind]
    return WeightFormat(min(max(bits, low), high), kind)


def random_codes(rng, weight: WeightFormat, shape, extreme=False):
    """Codes of ``shape``; extreme ones are the smallest and largest, often all alike."""
    if extreme:
        codes = rng.choice([weight.min, weight.max], shape)
        for filter_codes in codes if len(shape) > 1 else [codes]:
            if rng.random() < 0.6:
                filter_codes[...] = rng.choice([weight.min, weight.max])
        return codes.astype(weight.dtype)
    if weight.binary:
        return rng.choice([-1, 1], shape).astype(weight.dtype)
    if weight.kind == "power":
        magnitude = np.int64(1) << rng.integers(0, weight.top_exponent, shape, endpoint=True)
        return (magnitude * rng.integers(-1, 1, shape, endpoint=True)).astype(weight.dtype)
    return rng.integers(weight.min, weight.max, shape, endpoint=True).astype(weight.dtype)


def random_network(
    rng,
    channels,
    size,
    wbits,
    abits,
    image_channels=1,
    first_wbits=8,
    last_wbits=8,
    ibits=8,
    extreme=False,
    weights="fixed",
    activations="unsigned",
    end_weights="fixed",
    multipliers=False,
):
    """A valid U-Net with random codes, biases and binary points.

    Every channel's bias and shift are chosen by running the network built so far on one of its
    own calibration images, so that about half of the activations are above zero and few saturate.

    Parameters
    ----------
    rng : NumPy generator or a seed.
    channels : channels of each level, finest first; the length is the depth.
    size : (height, width).
    extreme : smallest and largest weight codes, and per channel sometimes a shift or bias at
        the end of its range.
    weights, end_weights : kind of the inner weights, and of the first and last layer's.
    activations : ``unsigned``, ``signed``, ``ternary`` or ``sign``.
    multipliers : whether the convolutions have multipliers, of up to 12 bits
        where the sums leave room.
    """
    rng = np.random.default_rng(rng)
    image_format = FixedFormat(ibits, ibits)
    calibration_size = tuple(min(n, 48) for n in size)
    calibration = np.stack(
        [random_image(rng, calibration_size, image_channels, ibits) for _ in range(2)]
    )
    topology = UNetTopology(tuple(channels), image_channels)
    fracs = {}
    for shape in topology.convs:
        fracs[shape.output] = int(rng.integers(-2, 8))
    for level in range(topology.depth):
        below = f"dec{level + 1}b" if level + 1 < topology.depth else "midb"
        fracs[below] = fracs[f"enc{level}b"]

    ops, values, info = [], {}, {}
    values["image"] = calibration[0].astype(np.int64)
    info["image"] = TensorInfo("image", *values["image"].shape, image_format)
    for layer in topology.layers:
        if isinstance(layer, ConvShape):
            first = layer.input == "image"
            weight = weight_format(
                *((end_weights, first_wbits) if first else (weights, wbits))
            )
            out = activation_format(activations, abits, fracs[layer.output])
            source, fmt = values[layer.input], info[layer.input].format
            op = _random_conv(rng, layer, weight, out, source, fmt, extreme, multipliers)
            inputs = [layer.input]
        else:
            op = layer
            names = (op.input,) if isinstance(op, MaxPool | Upsample) else op.inputs
            inputs, out = list(names), info[names[0]].format
        like = info[op.like] if isinstance(op, Upsample) else None
        result = run_op(op, [values[n] for n in inputs], [info[n] for n in inputs], like)
        ops.append(op)
        values[op.output] = result
        info[op.output] = TensorInfo(op.output, *result.shape, out)

    weight = weight_format(end_weights, last_wbits)
    codes = random_codes(rng, weight, (topology.channels[0],), extreme)
    logits = values[topology.head_input] @ codes.astype(np.int64)
    bias = -int(np.median(logits))
    ops.append(
        Head("head", topology.head_input, "logit", weight, codes, int(rng.integers(0, 8)), bias)
    )
    meta = {"dataset": "random", "licence": "none"}
    return Network(image_format, image_channels, tuple(ops), tuple(size), calibration, meta)


def _random_conv(rng, shape, weight, out, source, in_format, extreme, multipliers):
    """A convolution whose bias and shift suit the sums that ``source`` gives."""
    codes = random_codes(rng, weight, (shape.out_channels, shape.in_channels, 3, 3), extreme)
    accumulator = Accumulator(weight, in_format, codes[0].size)
    acc = conv3x3(source, codes, accumulator).reshape(-1, shape.out_channels)
    spread = np.maximum(acc.std(axis=0), np.abs(acc).max(axis=0) / 8)
    spread = np.maximum(spread, 1.0)
    shift = np.round(np.log2(2.5 * spread / (1 << out.width))).astype(np.int64)
    shift = np.maximum(shift + rng.integers(-1, 1, shift.shape, endpoint=True), 0)
    above = 0.0 if out.signed else 0.2
    bias = (-acc.mean(axis=0) + spread * rng.normal(above, 0.3, shift.shape)).astype(np.int64)
    multiplier = None
    if multipliers:
        most = max(1, min(12, 45 - accumulator.width))  # biases stay below 2**48
        multiplier = rng.integers(1, 1 << rng.integers(1, most, shift.shape, endpoint=True))
        shift += np.round(np.log2(multiplier)).astype(np.int64)
        bias *= multiplier
    if extreme:
        plan = Requantize(accumulator.width, out)
        for channel in range(shape.out_channels):
            case = rng.integers(0, 6)
            if case == 0:
                shift[channel] = 0
            elif case == 1:
                shift[channel] = min(plan.max_shift, 48)
            elif case == 2:
                bias[channel] = -accumulator.max
            elif case == 3:
                bias[channel] = accumulator.max
    frac = shift + out.frac - in_format.frac
    names = shape.name, shape.input, shape.output
    return Conv(*names, weight, codes, frac, bias, out, multiplier)
