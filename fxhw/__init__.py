"""fxhw: quantized U-Nets into synthesizable, verified RTL.

The package is laid out the way the data goes; imports point to the left only::

    errors < fixed < graph < checkpoint < golden < quantize -----------------.
                  |                                                          |
                  |   images, dice, synthetic, bundled < dataset < train ----+
                  |   images < importers ------------------------------------+
                  |                                                          |
                   \\ plan < driver, gateware < emit < synth, cosim -----------+-- sweep < cli

``fixed`` holds the number contract, ``graph`` the quantized network, ``golden`` the exact NumPy
model, ``quantize`` other bit widths without training, ``plan`` what the hardware will do,
``driver`` the host's side of it, ``gateware`` the Amaranth components, ``emit`` the generated
folder, ``cosim`` and ``synth`` what is done with it, ``sweep`` many designs side by side;
``estimate``, above ``plan``, says what to expect of a design that does not exist yet;
``importers`` turns public downloads into data sets.  ``tests/test_layers.py`` holds the exact
rules.
"""

__version__ = "0.1.0"
