"""A network run from the definitions, one Python integer at a time."""

from fxhw.graph import Concat, Conv, MaxPool, Upsample


def naive_conv(x, weights):
    """Nested lists: 3x3 sums of (height, width, in) ``x`` with (out, in, 3, 3) ``weights``."""
    height, width, channels = len(x), len(x[0]), len(x[0][0])
    result = []
    for row in range(height):
        result.append([])
        for col in range(width):
            sums = [0] * len(weights)
            for ky in range(3):
                for kx in range(3):
                    y, z = row + ky - 1, col + kx - 1
                    if 0 <= y < height and 0 <= z < width:
                        for out, kernel in enumerate(weights):
                            for channel in range(channels):
                                sums[out] += kernel[channel][ky][kx] * x[y][z][channel]
            result[-1].append(sums)
    return result


def naive_network(network, image):
    """Tensor name -> nested lists of every tensor, the logits included."""
    values, fracs = {"image": image.tolist()}, {"image": network.image.frac}
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
            sums = naive_conv(values[op.input], op.codes.tolist())
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
        values[op.output], fracs[op.output] = result, frac
    return values


def _requantize(sums, conv, shifts):
    """The nearest codes, halves up, clamped to 0 .. 2**width - 1."""
    codes = []
    for total, bias, shift in zip(sums, conv.bias.tolist(), shifts):
        value = (2 * (total + bias) + (1 << shift)) // (2 << shift)
        codes.append(max(0, min((1 << conv.out.width) - 1, value)))
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
