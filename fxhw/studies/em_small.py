"""The trainings on EM with 8 base channels that the smaller studies share."""

from .jobs import Job

__all__ = ["REAL", "small_job"]

_COMMON = {"base_channels": 8}

REAL = Job("em_small_real", "em", _COMMON | {"quantizer": "float", "qat_epochs": 0})
"""The network of real numbers the others start from."""


def small_job(name: str, after: Job | None = REAL, **options) -> Job:
    """A training called ``name`` with ``options`` over the common ones."""
    return Job(f"em_small_{name}", "em", _COMMON | options, after)
