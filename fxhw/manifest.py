"""Reads ``manifest.json``, which describes a generated folder, without anything that makes one."""

import hashlib
import json
import os
from pathlib import Path

from .errors import FxhwError

__all__ = ["MANIFEST", "SCHEMA", "changed_files", "content_hash", "load_manifest"]

MANIFEST = "manifest.json"
"""Name of the file."""

SCHEMA = "fxhw-manifest-1"
"""Layout of the manifest; another name is another layout."""


def content_hash(manifest: dict) -> str:
    """SHA-256 (hex) of a manifest, which holds the hashes of all files, without this entry."""
    rest = {key: value for key, value in manifest.items() if key != "content_hash"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def load_manifest(folder: str | os.PathLike, *, block: bool = True) -> dict:
    """The manifest of a generated folder.

    Parameters
    ----------
    block : whether a folder with one block alone will do.

    Raises
    ------
    FxhwError if the folder is none, or its manifest is damaged or of another version.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    if not folder.is_dir():
        raise FxhwError(f"Folder {folder} does not exist; make it with 'fxhw generate -o {folder}'")
    if not path.is_file():
        raise FxhwError(
            f"Folder {folder} has no {MANIFEST}, so it was not made by 'fxhw generate'"
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FxhwError(f"File {path} is damaged ({error}); run 'fxhw generate' again") from error
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if schema != SCHEMA:
        raise FxhwError(
            f"File {path} has the layout {schema!r}, this version reads {SCHEMA!r}; "
            "run 'fxhw generate' again"
        )
    if manifest.get("content_hash") != content_hash(manifest):
        raise FxhwError(
            f"File {path} does not match its own content hash: it was edited or cut short; "
            "run 'fxhw generate' again"
        )
    if "block" in manifest and not block:
        raise FxhwError(
            f"Folder {folder} holds the block {manifest['block']} alone; a whole accelerator is "
            "needed here, which 'fxhw generate' makes without --block"
        )
    return manifest


def changed_files(folder: str | os.PathLike, manifest: dict) -> list[str]:
    """Names of the files of ``folder`` that are missing or not as they were generated."""
    changed = []
    for name, entry in manifest["files"].items():
        path = Path(folder) / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
            changed.append(name)
    return changed
