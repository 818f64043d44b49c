"""Estimate."""
from dataclasses import dataclass
@dataclass(frozen=True)
class Estimate:
    steps: tuple = ()
    total: int = 0
def estimate_cycles(design, schedule, descriptors):
    return Estimate()
