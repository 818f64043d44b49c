"""A network run from the definitions, one Python integer at a time."""

from fxhw.graph import Concat, Conv, MaxPool, Upsample


def naive_conv(x, weights, padding=0):
    """Nested lists: 3x3 sums of (height, width, in) ``x`` with (out, in, 3, 3) ``weights``.

    The border takes the code ``padding``.
    """
    height, width, channels = len(x), len(x[0]), len(x[0][0])
    result = []
    for row in range(height):
        result.append([])
        for col in range(width):
            sums = [0] * len(weights)
            for ky in range(3):
                for kx in range(3):
                    y, z = row + ky - 1, col + kx - 1
                    inside = 0 <= y < height and 0 <= z < width
                    pixel = x[y][z] if inside else [padding] * channels
                    for out, kernel in enumerate(weights):
                        for channel in range(channels):
                            sums[out] += kernel[channel][ky][kx] * pixel[channel]
            result[-1].append(sums)
    return result


def naive_network(network, image):
    """Tensor name -> nested lists of every tensor, the logits included."""
    values, fracs = {"image": image.tolist()}, {"image": network.image.frac}
    signs = set()
    for op in network.ops:
        if isinstance(op, Concat):
            first, second = (values[name] for name in op.inputs)
            result = [[a + b for a, b in zip(*rows)] for rows in zip(first, second)]
            frac = fracs[op.inputs[0]]
        elif isinstance(op, MaxPool):
            result, frac = _pool(values[op.input]), fracs[op.input]
        elif isinstance(op, Upsample):
            rows, cols = len(values[op.like]), len(values[op.like][0])
            x = values[op.input]
            result = [[x[y // 2][z // 2] for z in range(cols)] for y in range(rows)]
            frac = fracs[op.input]
        elif isinstance(op, Conv):
            padding = -1 if op.input in signs else 0
            sums = naive_conv(values[op.input], op.codes.tolist(), padding)
            shifts = [fracs[op.input] + int(f) - op.out.frac for f in op.weight_frac]
            result = [[_requantize(pixel, op, shifts) for pixel in row] for row in sums]
            frac = op.out.frac
        else:
            codes = op.codes.tolist()
            result = [
                [[sum(w * v for w, v in zip(codes, pixel)) + op.bias] for pixel in row]
                for row in values[op.input]
            ]
            frac = None
        inputs = op.inputs if isinstance(op, Concat) else [op.input]
        if op.out.kind == "sign" if isinstance(op, Conv) else inputs[0] in signs:
            signs.add(op.output)
        values[op.output], fracs[op.output] = result, frac
    return values


def _requantize(sums, conv, shifts):
    """The nearest codes, halves up, clamped to those there are."""
    low, high = {
        "unsigned": (0, 2**conv.out.width - 1),
        "signed": (-(2 ** (conv.out.width - 1)), 2 ** (conv.out.width - 1) - 1),
    }.get(conv.out.kind, (-1, 1))
    multipliers = [1] * len(sums) if conv.multiplier is None else conv.multiplier.tolist()
    codes = []
    for total, factor, bias, shift in zip(sums, multipliers, conv.bias.tolist(), shifts):
        total = total * factor + bias
        if conv.out.kind == "sign":
            codes.append(1 if total >= 0 else -1)
        else:
            codes.append(max(low, min(high, (2 * total + (1 << shift)) // (2 << shift))))
    return codes


def _pool(x):
    """2x2 maxima with what there is at odd ends."""
    result = []
    for row in range(0, len(x), 2):
        result.append([])
        for col in range(0, len(x[0]), 2):
            block = [pixel for line in x[row : row + 2] for pixel in line[col : col + 2]]
            result[-1].append([max(values) for values in zip(*block)])
    return result
