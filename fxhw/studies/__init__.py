"""Studies: trainings side by side whose results are committed under ``docs/results``.

``python -m fxhw.studies NAME`` trains what is missing below ``runs`` and writes JSON, Markdown
and a plot.  :mod:`~fxhw.studies.jobs` runs many trainings, goes on after a break and leaves
finished ones alone; :mod:`~fxhw.studies.table1` has the paper's Table 1, whose figures are in
:mod:`fxhw.published`, the other modules its supplement; :mod:`~fxhw.studies.figures` draws.
"""
