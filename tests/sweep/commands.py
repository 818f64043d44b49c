"""``fxhw sweep`` in processes of its own, and what it leaves."""

import filecmp
import os
import subprocess
import sys
from pathlib import Path

__all__ = ["SMALL", "files", "same", "start"]

SMALL = ["--wbits", "1-2", "--abits", "2", "--pin", "1", "--pout", "2", "--styles", "lut",
         "--scopes", "array"]
"""Arguments of the smallest sweep: two points, four jobs."""


def start(folder, *arguments, path=None, **more):
    """The command in a process group of its own; a folder may come first where modules lie."""
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, filter(None, [path, root])))}
    command = [sys.executable, "-m", "fxhw", "sweep", "-o", str(folder), *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True, **more,
    )


def files(folder):
    """Relative paths of everything in a sweep folder."""
    return sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())


def same(one, other):
    """Whether two folders hold the same files with the same bytes."""
    names = files(one)
    equal = filecmp.cmpfiles(one, other, names, shallow=False)[0]
    return names == files(other) and len(equal) == len(names)
