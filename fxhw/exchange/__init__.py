"""Networks as QONNX models and back: the format that Brevitas, FINN and hls4ml exchange.

:mod:`~fxhw.exchange.export` writes a network, :mod:`~fxhw.exchange.load` reads a model,
:mod:`~fxhw.exchange.measure` compares the two.  Reading goes from :mod:`~fxhw.exchange.model_file`
(the file, checked and sorted) over :mod:`~fxhw.exchange.walk` (what every node does, in real
numbers) to :mod:`~fxhw.exchange.resolve` (the integers, by :mod:`~fxhw.exchange.scales`).

Needs the package onnx, and qonnx to run a model: ``pip install 'fxhw[exchange]'``.
"""

from .export import export_qonnx, save_qonnx
from .load import ImportReport, import_qonnx
from .measure import Measurement, measure, run_qonnx

__all__ = [
    "ImportReport",
    "Measurement",
    "export_qonnx",
    "import_qonnx",
    "measure",
    "run_qonnx",
    "save_qonnx",
]
