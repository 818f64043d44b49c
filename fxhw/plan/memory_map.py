"""Places feature maps in the feature memory so that those alive together do not overlap."""

from dataclasses import dataclass

from ..graph import TensorInfo
from .schedule import Schedule

__all__ = [
    "Lifetime", "MemoryMap", "Region", "map_memory", "place_tensors", "stored_tensors"
]


@dataclass(frozen=True)
class Region:
    """Where a feature map lies: word (y * width + x) * groups + g holds ``pin`` channels.

    Parameters
    ----------
    tensor : the feature map.
    base : address of its first word.
    groups : words per pixel.
    born, dies : first step that writes it and last step that reads it.
    """

    tensor: TensorInfo
    base: int
    groups: int
    born: int
    dies: int

    @property
    def words(self) -> int:
        """Words it takes."""
        return self.tensor.height * self.tensor.width * self.groups

    @property
    def row_stride(self) -> int:
        """Words from row to row."""
        return self.tensor.width * self.groups

    @property
    def end(self) -> int:
        """Address past its last word."""
        return self.base + self.words


@dataclass(frozen=True)
class MemoryMap:
    """All regions by tensor name."""

    regions: dict[str, Region]

    @property
    def words(self) -> int:
        """Depth the feature memory needs."""
        return max((region.end for region in self.regions.values()), default=1)


def map_memory(schedule: Schedule, pin: int) -> MemoryMap:
    """Place every stored feature map, largest first, at the lowest address that is free."""
    stored = stored_tensors(schedule)
    groups = {name: -(-life.tensor.channels // pin) for name, life in stored.items()}
    sizes = {
        name: life.tensor.height * life.tensor.width * groups[name]
        for name, life in stored.items()
    }
    bases = place_tensors(stored, sizes)
    return MemoryMap(
        {
            name: Region(stored[name].tensor, base, groups[name], *stored[name].steps)
            for name, base in bases.items()
        }
    )


@dataclass(frozen=True)
class Lifetime:
    """A stored feature map, and the first and the last step that write or read it."""

    tensor: TensorInfo
    steps: tuple[int, int]


def stored_tensors(schedule: Schedule) -> dict[str, Lifetime]:
    """Every feature map that is written to memory, in the order they are first written."""
    lifetimes: dict[str, Lifetime] = {}
    for index, step in enumerate(schedule.steps):
        written = [step.out] if step.store_full else []
        written += [step.pooled] if step.pooled else []
        for tensor in written:
            born = lifetimes[tensor.name].steps[0] if tensor.name in lifetimes else index
            lifetimes[tensor.name] = Lifetime(tensor, (born, index))
        for source in step.sources:
            born = lifetimes[source.tensor.name].steps[0]
            lifetimes[source.tensor.name] = Lifetime(source.tensor, (born, index))
    return lifetimes


def place_tensors(lifetimes: dict[str, Lifetime], sizes: dict[str, int]) -> dict[str, int]:
    """Address of each feature map: largest first, the lowest that none alive with it takes."""
    bases: dict[str, int] = {}
    for name in sorted(sizes, key=lambda name: (-sizes[name], lifetimes[name].steps[0], name)):
        first, last = lifetimes[name].steps
        neighbours = sorted(
            (bases[other], bases[other] + sizes[other])
            for other in bases
            if lifetimes[other].steps[0] <= last and first <= lifetimes[other].steps[1]
        )
        base = 0
        for low, high in neighbours:
            if base + sizes[name] <= low:
                break
            base = max(base, high)
        bases[name] = base
    return bases
