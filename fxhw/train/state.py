"""Files of a run besides its checkpoint: the state to resume from and the metrics."""

import json
import os
import pickle
from pathlib import Path

import torch

from ..errors import FxhwError

__all__ = ["load_state", "metrics_path", "save_state", "state_path", "write_metrics"]


def state_path(output: Path) -> Path:
    """Where the run that writes checkpoint ``output`` keeps its state."""
    return output.with_suffix(".state.pt")


def metrics_path(output: Path) -> Path:
    """Where the run that writes checkpoint ``output`` puts its metrics."""
    return output.with_suffix(".metrics.json")


def save_state(state: dict, path: Path) -> None:
    """Write ``state`` (tensors, numbers, strings, lists and dicts): a temporary file first.

    Raises
    ------
    FxhwError if the file cannot be written; a file already there is left as it was.
    """
    _replace(path, lambda temporary: torch.save(state, temporary))


def load_state(path: Path, run: dict) -> dict | None:
    """The state at ``path``, or None if there is none.

    Parameters
    ----------
    run : what identifies the run, JSON types; it must equal the state's own ``run``.

    Raises
    ------
    FxhwError if the file is damaged or belongs to a run with other options.
    """
    if not path.exists():
        return None
    try:
        # Nothing but tensors and plain types is loaded; the file cannot execute anything.
        state = torch.load(path, map_location="cpu", weights_only=True)
        other = json.loads(state["run"])
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError,
            pickle.UnpicklingError) as error:
        reason = str(error).strip().split("\n")[0]
        raise FxhwError(
            f"Training state {path} is damaged ({type(error).__name__}: {reason}); "
            "delete it and train from the start"
        ) from error
    different = sorted(key for key in run | other if run.get(key) != other.get(key))
    if different:
        shown = ", ".join(f"{key} {other.get(key)} (now {run.get(key)})" for key in different)
        raise FxhwError(
            f"Training state {path} belongs to a run with {shown}; resume with the same options "
            "or train from the start without --resume"
        )
    return state


def write_metrics(metrics: dict, path: Path) -> None:
    """Write ``metrics`` as JSON: a temporary file first, then a rename."""
    text = json.dumps(metrics, indent=1, sort_keys=True) + "\n"
    _replace(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _replace(path: Path, write) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        raise FxhwError(f"File {path} cannot be written: {error}") from error
