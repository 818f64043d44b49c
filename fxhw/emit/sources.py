"""Which code a result was made by: it stays valid until that code changes."""

import hashlib
from functools import lru_cache
from pathlib import Path

from .manifest import tool_versions

__all__ = ["fingerprint"]

_PACKAGE = Path(__file__).parents[1]


@lru_cache(maxsize=8)
def fingerprint(parts: tuple[str, ...]) -> str:
    """Hash (hex) of all Python sources of ``parts`` of this package and of the tools' versions.

    Parameters
    ----------
    parts : modules and packages, as ``plan`` and ``quantize``.
    """
    digest = hashlib.sha256(repr(sorted(tool_versions().items())).encode())
    for part in sorted(parts):
        module = _PACKAGE / f"{part}.py"
        for path in [module] if module.is_file() else sorted((_PACKAGE / part).rglob("*.py")):
            text = path.read_bytes()
            digest.update(f"{path.relative_to(_PACKAGE).as_posix()} {len(text)}\n".encode() + text)
    return digest.hexdigest()
