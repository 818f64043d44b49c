"""Post-training requantization: an integer network to other weight and activation widths.

No training is involved, so nothing is learnt back: widening keeps a network's masks, one or two
bits less cost a little, and far fewer bits need ``fxhw train``.

Weights take, per output channel, the power-of-two step with the least squared error; widening is
exact.  Activations take, per group of tensors that share a format, the power-of-two step with
which the layers' own sums come closest to the codes they give now, measured on the network's
calibration images; where no activation saturates, widening is exact here too.  Then every bias
absorbs what rounding, in its layer and before it, did to the mean of its channel.
"""

from dataclasses import replace

import numpy as np

from .errors import FxhwError
from .fixed import FixedFormat, Requantize, WeightFormat
from .golden import conv3x3, run_op
from .graph import Concat, Conv, Head, Network, Upsample

__all__ = ["inner_convs", "requantize", "widths"]

_SAMPLES = 1 << 18
"""Sums per layer and calibration image that an activation step is chosen from."""


def inner_convs(network: Network) -> list[Conv]:
    """The convolutions that do not read the image, or all of them if all do."""
    return [op for op in network.convs if op.input != "image"] or network.convs


def widths(network: Network) -> tuple[int, int]:
    """(weight bits, activation bits) of a network, the first convolution's weights aside.

    A network of mixed widths counts as its widest, one of a head alone by the head and the image.
    """
    inner = inner_convs(network)
    return (
        max((op.weight.bits for op in inner), default=network.head.weight.bits),
        max((op.out.width for op in network.convs), default=network.image.width),
    )


def requantize(network: Network, wbits: int, abits: int) -> Network:
    """``network`` with ``wbits`` weights and ``abits`` activations, 1 to 8 bits each.

    Convolutions that read the image and the head keep their weights, the image its normalization.

    Raises
    ------
    FxhwError if a width is out of range, if a layer has other than fixed weights and unsigned
    activations, or a multiplier, if ``abits`` changes and the network has no calibration
    images, or if a layer would need a negative shift.
    """
    for option, bits in (("--wbits", wbits), ("--abits", abits)):
        if not 1 <= bits <= 8:
            raise FxhwError(f"{option} must be 1 to 8 bits, not {bits}")
    for op in network.convs:
        has = _not_rescaled(op)
        if has:
            raise FxhwError(
                f"Layer {op.name} has {has}, but only fixed weights and unsigned activations "
                f"without multipliers can be requantized; {_train_hint(wbits, abits)}"
            )
    inner = [op for op in network.convs if op.input != "image"]
    abits_change = any(op.out.width != abits for op in network.convs)
    if not abits_change and all(op.weight.bits == wbits for op in inner):
        return network
    was = "w{}a{}".format(*widths(network))
    if abits_change and not len(network.calibration):
        raise FxhwError(
            f"A {was} network without calibration images cannot get activations of {abits} bits; "
            f"{_train_hint(wbits, abits)}"
        )
    weights = {
        op.name: _narrow_weights(op, wbits if op.input != "image" else op.weight.bits)
        for op in network.convs
    }
    groups = _format_groups(network)
    info = network.tensors()
    fracs = {group: info[group].format.frac for group in groups.values()}
    means = {}
    if len(network.calibration):
        means, errors = _observe(network, groups, abits)
        for group, by_offset in errors.items():
            # The least error; of equals, the step nearest the present one.
            fracs[group] += min(by_offset, key=lambda o: (by_offset[o], abs(o), o))
    _lower_fracs(network, weights, groups, fracs, wbits, abits)
    formats = {
        name: network.image if group == "image" else FixedFormat(abits, fracs[group])
        for name, group in groups.items()
    }
    meta = dict(network.meta) | {"requantized": f"from {was} to w{wbits}a{abits}, not retrained"}
    result = replace(network, ops=_rescale(network, weights, formats, wbits), meta=meta)
    return _correct_biases(result, means) if means else result


def _not_rescaled(op: Conv) -> str | None:
    """What of a convolution powers of two cannot rescale."""
    if op.weight.kind != "fixed":
        return f"{op.weight.name} weights"
    if op.out.kind != "unsigned":
        return f"{op.out.kind} activations"
    return None if op.multiplier is None else "a multiplier"


def _train_hint(wbits: int, abits: int) -> str:
    return f"train one: fxhw train ... --wbits {wbits} --abits {abits}"


def _narrow_weights(op: Conv, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes and weight_frac of ``op`` at ``bits``, the best power-of-two step per channel."""
    target = WeightFormat(bits)
    if bits == op.weight.bits or (bits > op.weight.bits and not target.binary):
        return op.codes, op.weight_frac
    flat = op.codes.reshape(op.out_channels, -1).astype(np.float64)
    best = np.full(op.out_channels, np.inf)
    codes = np.zeros(flat.shape, np.int8)
    drop = np.zeros(op.out_channels, np.int64)
    for shift in range(op.weight.bits):
        scaled = flat / 2**shift
        if target.binary:
            candidate = np.where(scaled >= 0, 1.0, -1.0)
        else:
            candidate = np.clip(np.rint(scaled), target.min, target.max)
        error = ((candidate * 2**shift - flat) ** 2).sum(axis=1)
        better = error < best
        best[better], drop[better] = error[better], shift
        codes[better] = candidate[better]
    return codes.reshape(op.codes.shape), op.weight_frac - drop


def _format_groups(network: Network) -> dict[str, str]:
    """Tensor -> the first tensor of those that must share its format."""
    group = {"image": "image"}
    for op in network.ops:
        if isinstance(op, Conv | Head):
            group[op.output] = op.output
        elif isinstance(op, Concat):
            keep, drop = (group[name] for name in op.inputs)
            group = {name: keep if root == drop else root for name, root in group.items()}
            group[op.output] = keep
        else:
            group[op.output] = group[op.input]
    return group


def _observe(network: Network, groups: dict[str, str], abits: int):
    """Run the calibration images and look at every convolution's and the head's sums.

    Returns
    -------
    means : layer -> mean value of each output channel before bias and clamp.
    errors : group -> {frac offset: squared error, in steps squared, of ``abits`` wide codes
        with that many more fraction bits against the present codes}.
    """
    means: dict[str, np.ndarray] = {}
    errors: dict[str, dict[int, float]] = {}

    def look(op, source, sums):
        means[op.name] = _mean_value(op, source, sums)
        if isinstance(op, Head):
            return op
        change = abits - op.out.width
        by_offset = errors.setdefault(groups[op.output], {})
        for acc in sums:
            some = acc.reshape(-1, op.out_channels)[:: max(1, acc.size // _SAMPLES)]
            present = op.requantize(source).compute(
                some, op.rounded_bias(source), op.shift(source)
            )
            for offset in range(min(0, change) - 1, max(0, change) + 2):
                codes = _shift_clamp(some + op.bias, op.shift(source) - offset, abits)
                error = ((codes * 2.0**-offset - present) ** 2).sum()
                by_offset[offset] = by_offset.get(offset, 0.0) + float(error)
        return op

    _walk(network, look)
    return means, errors


def _shift_clamp(sums: np.ndarray, shift: np.ndarray, abits: int) -> np.ndarray:
    """``sums`` requantized to ``abits``, rounding half up; a negative shift goes left."""
    right = np.maximum(shift, 0)
    rounded = (sums + Requantize.rounding_bias(right)) >> right
    return np.clip(rounded << np.maximum(-shift, 0), 0, (1 << abits) - 1)


def _mean_value(op: Conv | Head, source: FixedFormat, sums: list[np.ndarray]) -> np.ndarray:
    """Mean, over images and pixels, of what each channel's ``sums`` are worth."""
    total = sum(acc.sum(axis=(0, 1)) for acc in sums)
    pixels = sum(acc.shape[0] * acc.shape[1] for acc in sums)
    return total / pixels * 2.0 ** -(source.frac + np.asarray(op.weight_frac, np.float64))


def _walk(network: Network, visit) -> list:
    """Run all calibration images side by side, each operator on all of them before the next.

    ``visit(op, source, sums)`` sees every convolution and the head with its input's format and
    its sums (int64, before the bias) for each image, and returns the operator to go on with.

    Returns
    -------
    the operators gone on with.
    """
    infos = [network.tensors(image.shape[:2]) for image in network.calibration]
    live = [{"image": image} for image in network.calibration]
    last_use = {name: op for op in network.ops for name in _inputs(op)}
    ops = []
    for op in network.ops:
        if isinstance(op, Conv | Head):
            source = infos[0][op.input].format
            sums = [_sums(op, values[op.input], source) for values in live]
            op = visit(op, source, sums)
            results = [_finish(op, acc, source) for acc in sums]
        else:
            results = [
                run_op(
                    op,
                    [values[name] for name in _inputs(op)],
                    [],
                    info[op.like] if isinstance(op, Upsample) else None,
                )
                for values, info in zip(live, infos)
            ]
        for values, result in zip(live, results):
            for name in _inputs(op):
                if last_use[name].name == op.name:
                    values.pop(name, None)
            values[op.output] = result
        ops.append(op)
    return ops


def _inputs(op) -> tuple[str, ...]:
    """Names of the tensors an operator reads."""
    return op.inputs if isinstance(op, Concat) else (op.input,)


def _sums(op: Conv | Head, x: np.ndarray, source: FixedFormat) -> np.ndarray:
    """Dot products (int64) before the bias."""
    if isinstance(op, Conv):
        return conv3x3(x, op.codes, op.accumulator(source))
    return x.astype(np.int64) @ op.codes.astype(np.int64)[:, None]


def _finish(op: Conv | Head, acc: np.ndarray, source: FixedFormat) -> np.ndarray:
    """Codes (uint8 where they fit, an eighth of the golden model's memory), or the logits."""
    if isinstance(op, Head):
        return acc + op.bias
    codes = op.requantize(source).compute(acc, op.rounded_bias(source), op.shift(source))
    return codes.astype(np.min_scalar_type(op.out.max))


def _lower_fracs(network, weights, groups, fracs, wbits, abits) -> None:
    """Lower entries of ``fracs`` until no shift is negative.

    A result finer than its accumulator has nothing in its last bits, so little is lost, up to
    the point where nothing is left of the range.

    Raises
    ------
    FxhwError naming the layer that cannot be had.
    """
    wanted = dict(fracs)
    settled = False
    while not settled:
        settled = True
        for op in network.convs:
            group = groups[op.output]
            shift = fracs[groups[op.input]] + weights[op.name][1] - fracs[group]
            if shift.min() >= 0:
                continue
            settled = False
            fracs[group] += int(shift.min())
            lost = wanted[group] - fracs[group]
            if lost > abits:
                raise FxhwError(
                    f"Layer {op.name}, channel {int(shift.argmin())}: with {wbits}-bit weights "
                    f"its sums are {lost} bits coarser than the best step of {abits}-bit "
                    f"activations, so the shift would be {-lost}; {_train_hint(wbits, abits)}"
                )


def _rescale(network, weights, formats, wbits) -> tuple:
    """The operators with new codes and formats, biases moved to the new accumulator units."""
    old = network.tensors()
    ops = []
    for op in network.ops:
        if isinstance(op, Conv):
            codes, frac = weights[op.name]
            bits = op.weight.bits if op.input == "image" else wbits
            finer = formats[op.input].frac - old[op.input].format.frac + frac - op.weight_frac
            op = replace(
                op,
                weight=WeightFormat(bits),
                codes=codes,
                weight_frac=frac,
                bias=_shift_bias(op.bias, finer),
                out=formats[op.output],
            )
        elif isinstance(op, Head):
            finer = formats[op.input].frac - old[op.input].format.frac
            op = replace(op, bias=int(_shift_bias(op.bias, finer)))
        ops.append(op)
    return tuple(ops)


def _shift_bias(bias, finer) -> np.ndarray:
    """``bias * 2**finer``, exact where ``finer`` is not negative, else rounded half up."""
    bias, finer = np.asarray(bias, np.int64), np.asarray(finer, np.int64)
    right = np.maximum(-finer, 0)
    return ((bias + Requantize.rounding_bias(right)) >> right) << np.maximum(finer, 0)


def _correct_biases(network: Network, means: dict[str, np.ndarray]) -> Network:
    """``network`` with biases that bring every channel's mean back to ``means``.

    Layer by layer, so that what a layer sees is what its corrected predecessors give.
    """

    def correct(op, source, sums):
        missing = means[op.name] - _mean_value(op, source, sums)
        units = 2.0 ** (source.frac + np.asarray(op.weight_frac, np.float64))
        change = np.rint(missing * units).astype(np.int64)
        if isinstance(op, Head):
            return replace(op, bias=op.bias + int(change[0]))
        return replace(op, bias=op.bias + change)

    return replace(network, ops=tuple(_walk(network, correct)))
