"""Public downloads into this package's data set layout (see :mod:`fxhw.dataset`).

One module per set, imported when it is asked for, as each needs its own library.
"""

import importlib
import os
from pathlib import Path

from ..errors import FxhwError
from .layout import Progress, check_output, check_source, write_dataset

__all__ = ["KINDS", "VAL_EVERY", "import_dataset"]

KINDS = ("isbi", "scgm", "nih", "glas")

VAL_EVERY = 5
"""Of how many items one is for validation, unless told."""


def import_dataset(
    kind: str,
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    val_every: int | None = None,
    with_test_b: bool = False,
    progress: Progress = lambda done, total, text: None,
) -> dict[str, int]:
    """Convert a download.

    Parameters
    ----------
    kind : one of :data:`KINDS`.
    source : the folder the download was unpacked to; files are looked for in its sub-folders too.
    output : folder to write, new or empty.
    val_every : the second of every so many sections (isbi), subjects (scgm) or patients (nih) is
        for validation, :data:`VAL_EVERY` if None; glas has its own split.
    with_test_b : let glas's part B into the validation images too.

    Returns
    -------
    Images per split, ``train`` and ``val``.

    Raises
    ------
    FxhwError if an option does not go with the kind, the source lacks a file or has one that
    cannot be read, image and label differ in size, a split stays empty, or the output holds
    anything; nothing is written then.
    ModuleNotFoundError if the library that reads the files is not installed.
    """
    if kind not in KINDS:
        raise FxhwError(f"Kind of data set must be one of {', '.join(KINDS)}, not {kind!r}")
    if kind == "glas" and val_every is not None:
        raise FxhwError(
            f"Validation every {val_every} was asked for, but glas has its own split; leave it out"
        )
    if kind != "glas" and with_test_b:
        raise FxhwError(f"Part B was asked for, but {kind} has none, only glas; leave it out")
    if val_every is not None and val_every < 2:
        raise FxhwError(
            f"Validation every {val_every} leaves nothing to train on; it must be 2 or more"
        )
    source, output = Path(source), Path(output)
    check_source(source)
    check_output(output)
    module = importlib.import_module(f".{kind}", __name__)
    choice = with_test_b if kind == "glas" else val_every or VAL_EVERY
    return write_dataset(output, module.slices(source, choice, progress))
