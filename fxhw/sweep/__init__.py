"""The map from area to dice: many designs measured, cached, and drawn; and a choice among them.

:mod:`~fxhw.sweep.point` spans the grid, :mod:`~fxhw.sweep.jobs` and :mod:`~fxhw.sweep.training`
are the measurements that points are put together from, :mod:`~fxhw.sweep.local` and
:mod:`~fxhw.sweep.cluster` run them and :mod:`~fxhw.sweep.store` keeps what comes out;
:mod:`~fxhw.sweep.setup` says which jobs a point needs, :mod:`~fxhw.sweep.record` makes its record
of their results and :mod:`~fxhw.sweep.run` does it all.  :mod:`~fxhw.sweep.accuracy` reads dice
that others measured, :mod:`~fxhw.sweep.energy` and :mod:`~fxhw.sweep.work` estimate the energy.
:mod:`~fxhw.sweep.results` is the document of the results, :mod:`~fxhw.sweep.tables`,
:mod:`~fxhw.sweep.plot` and :mod:`~fxhw.sweep.page` show it, :mod:`~fxhw.sweep.explore` picks a
design from it, by the shapes in :mod:`~fxhw.sweep.memories` too.
"""
