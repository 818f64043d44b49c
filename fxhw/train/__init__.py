"""Quantization-aware training: the one package that imports torch.

Read :mod:`~fxhw.train.quantizers` (fake quantizers equal to the number contract), then
:mod:`~fxhw.train.unet`, :mod:`~fxhw.train.fold`, :mod:`~fxhw.train.calibrate`,
:mod:`~fxhw.train.export` and :mod:`~fxhw.train.loop`, which puts them together.
:class:`~fxhw.train.recipe.Recipe` holds a run's options.
"""
