"""``python -m fxhw.cosim.lint FILE ...``: Verilator's warnings, all of them on."""

import sys
from pathlib import Path

from .simulators import lint

__all__ = ["main"]


def main(paths: list[str]) -> int:
    """Print what Verilator says about each file; 1 if it says anything."""
    said = [line for path in paths for line in lint(Path(path))]
    for line in said:
        print(line)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
