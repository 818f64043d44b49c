"""fxhw: quantized U-Nets into synthesizable, verified RTL.

The package is laid out the way the data goes::

    errors < fixed < graph < checkpoint < quantize < golden < images, dataset < train
                                        \\ plan < gateware < emit < synth, cosim < cli

``fixed`` holds the number contract, ``graph`` the quantized network, ``golden`` the exact NumPy
model, ``plan`` what the hardware will do, ``gateware`` the Amaranth components, ``emit`` the
generated folder, ``cosim`` and ``synth`` what is done with it.  Imports point to the left only.
"""

__version__ = "0.1.0"
