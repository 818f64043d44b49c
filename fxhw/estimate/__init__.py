"""What an accelerator will do with a network, before anything is generated.

:mod:`~fxhw.estimate.traffic` counts the bytes each step moves, :mod:`~fxhw.estimate.forecast` puts
them beside the cycles and names the bound of every layer, :mod:`~fxhw.estimate.roofline` draws it.
"""

from .forecast import Forecast, LayerForecast, forecast_network

__all__ = ["Forecast", "LayerForecast", "forecast_network"]
