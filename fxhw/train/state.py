"""Files of a run besides its checkpoint: the state to resume from and the metrics."""

import contextlib
import io
import json
import os
import pickle
import tempfile
from pathlib import Path

import torch

from ..errors import FxhwError

__all__ = [
    "float_path",
    "load_float",
    "load_state",
    "make_folder",
    "metrics_path",
    "save_float",
    "save_state",
    "state_path",
    "write_metrics",
]

_STATE = ("phase", "epoch", "network", "optimizer", "history")
"""What a state holds besides what identifies its run."""


def state_path(output: Path) -> Path:
    """Where the run that writes checkpoint ``output`` keeps its state."""
    return output.with_suffix(".state.pt")


def metrics_path(output: Path) -> Path:
    """Where the run that writes checkpoint ``output`` puts its metrics."""
    return output.with_suffix(".metrics.json")


def float_path(output: Path) -> Path:
    """Where the run that writes checkpoint ``output`` puts its network with real numbers."""
    return output.with_suffix(".float.pt")


def make_folder(output: Path) -> None:
    """Make the folder of checkpoint ``output``, before hours are spent on what is to go there.

    Raises
    ------
    FxhwError if it cannot be made, or no file in it.
    """
    folder = output.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise FxhwError(
            f"Folder {folder} cannot be written: {error.strerror or error}; give another with -o"
        ) from error


def save_float(network: dict, recipe: dict, path: Path) -> None:
    """Write the state dict of a float network with the options that made it.

    Raises
    ------
    FxhwError if the file cannot be written; a file already there is left as it was.
    """
    save_state({"recipe": json.dumps(recipe), "network": network}, path)


def load_float(path: Path, recipe: dict) -> dict:
    """The state dict of the float network at ``path``.

    Parameters
    ----------
    recipe : the options a float network must have been made with.

    Raises
    ------
    FxhwError if there is no such file, if it is damaged or was made with other options.
    """
    if not path.is_file():
        raise FxhwError(f"Float network {path} does not exist; 'fxhw train' leaves one")
    state = _load(path, "Float network", "train it again")
    try:
        other = json.loads(state["recipe"])
        different = sorted(key for key in recipe if recipe[key] != other.get(key))
        network = state["network"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FxhwError(
            f"Float network {path} was not written by 'fxhw train' ({type(error).__name__}: "
            f"{error}); for other float networks there is 'fxhw quantize'"
        ) from error
    if different:
        shown = ", ".join(f"{key} {other.get(key)} (now {recipe[key]})" for key in different)
        raise FxhwError(
            f"Float network {path} was trained with {shown}; give the same options or train anew"
        )
    return network


def save_state(state: dict, path: Path) -> None:
    """Write ``state`` (tensors, numbers, strings, lists and dicts): a temporary file first.

    Raises
    ------
    FxhwError if the file cannot be written; a file already there is left as it was.
    """
    # By way of memory: torch names the archive after the file it writes to itself, and reports a
    # full disk by the source line it noticed it in.
    memory = io.BytesIO()
    torch.save(state, memory)
    _replace(path, memory.getbuffer())


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
    state = _load(path, "Training state", "delete it and train from the start")
    try:
        other = json.loads(state["run"])
        for entry in _STATE:
            state[entry]
    except (KeyError, TypeError, ValueError) as error:
        raise FxhwError(
            f"Training state {path} is damaged ({type(error).__name__}: {error}); "
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


def _load(path: Path, what: str, remedy: str):
    """Tensors and plain types from ``path``; the file cannot execute anything."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError,
            pickle.UnpicklingError) as error:
        reason = str(error).strip().split("\n")[0]
        raise FxhwError(
            f"{what} {path} is damaged ({type(error).__name__}: {reason}); {remedy}"
        ) from error


def write_metrics(metrics: dict, path: Path) -> None:
    """Write ``metrics`` as JSON: a temporary file first, then a rename."""
    text = json.dumps(metrics, indent=1, sort_keys=True) + "\n"
    _replace(path, text.encode())


def _replace(path: Path, data) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        raise FxhwError(f"File {path} cannot be written: {error.strerror or error}") from error
    finally:  # an interrupted write leaves nothing either
        with contextlib.suppress(OSError):
            temporary.unlink()
