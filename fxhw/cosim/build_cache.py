"""Builds are kept in folders named by their content, and made whole or not at all."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..errors import FxhwError

__all__ = ["build_once", "copy_objects", "first_error", "keep_objects"]


def build_once(folder: Path, build: Callable[[Path], None]) -> Path:
    """``folder``, which ``build`` fills (as a temporary one beside it) if it is not there.

    Raises
    ------
    FxhwError if the folder cannot be written; whatever ``build`` raises.
    """
    folder = folder.resolve()
    if folder.is_dir():
        return folder
    cache = folder.parent
    try:
        cache.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".build-", dir=cache)).resolve()
    except OSError as error:
        raise FxhwError(f"Build folder {cache} cannot be written: {error.strerror}") from error
    try:
        build(temporary)
        try:
            os.replace(temporary, folder)
        except OSError:
            # Another process was faster; its build is as good.
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def copy_objects(source: Path, target: Path) -> None:
    """Copy objects into a build, where make finds them up to date."""
    for path in source.glob("*.o"):
        shutil.copy(path, target)


def keep_objects(build: Path, target: Path) -> None:
    """Keep a build's copy of Verilator's own objects."""
    if target.is_dir():
        return
    temporary = Path(tempfile.mkdtemp(prefix=".objects-", dir=target.parent))
    for path in build.glob("verilated*.o"):
        shutil.copy(path, temporary)
    try:
        os.replace(temporary, target)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)  # another process was faster


def first_error(log: Path) -> str:
    """First line of a log that reports an error, or its last line."""
    if not log.is_file():
        return ""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    for line in lines:
        if re.search(r"%Error|error:|Error:|Traceback|Error \d|undefined reference", line):
            return line
    return lines[-1] if lines else ""
