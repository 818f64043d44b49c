"""Amaranth components, from streams to the accelerator.

Read :mod:`~fxhw.gateware.conv_engine` first, then :mod:`~fxhw.gateware.main_datapath`,
:mod:`~fxhw.gateware.sequencer` and :mod:`~fxhw.gateware.accelerator`.  Nothing here knows of
networks or files: a :class:`~fxhw.plan.Design` says what to build.
"""
