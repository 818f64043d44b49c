"""The number contract on one channel: fold a bias, round half up, shift, clamp."""

import numpy as np

from fxhw.fixed import Accumulator, ActivationFormat, Requantize, WeightFormat

weight, activation = WeightFormat(4), ActivationFormat(6, frac=3)
accumulator = Accumulator(weight, activation, fan_in=9 * 8)
print(f"72 products of {weight.name} x {activation.name} take {accumulator.width} bits")

out = ActivationFormat(6, frac=2)
requantize = Requantize(accumulator.width, out)
weight_frac = 5
shift = activation.frac + weight_frac - out.frac
bias = 100 + int(Requantize.rounding_bias(shift))

acc = np.array([-500, -100, -69, -68, 27, 28, 1000, 4000])
codes = requantize.compute(acc, bias, shift)
exact = (acc + 100) * 2.0 ** -(activation.frac + weight_frac)
for a, code, value in zip(acc, codes, exact):
    print(f"acc {a:6}: value {value:9.4f} -> code {code:2} = {code * out.step}")
