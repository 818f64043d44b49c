"""Places feature maps in the range of external memory that is theirs."""

from dataclasses import dataclass

from ..graph import TensorInfo
from .memory_map import place_tensors, stored_tensors
from .packed_words import PackedWords
from .schedule import Schedule

__all__ = ["ExternalMap", "ExternalRegion", "map_external"]


@dataclass(frozen=True)
class ExternalRegion:
    """Where a feature map lies: its rows begin at beats' borders, its words behind each other.

    Parameters
    ----------
    tensor : the feature map.
    base : byte offset of its first word.
    groups : words per pixel.
    row_stride : bytes from row to row.
    born, dies : first step that writes it and last step that reads it.
    """

    tensor: TensorInfo
    base: int
    groups: int
    row_stride: int
    born: int
    dies: int

    @property
    def size(self) -> int:
        """Bytes it takes."""
        return self.tensor.height * self.row_stride


@dataclass(frozen=True)
class ExternalMap:
    """All regions by tensor name."""

    regions: dict[str, ExternalRegion]

    @property
    def size(self) -> int:
        """Bytes of the whole range."""
        return max((region.base + region.size for region in self.regions.values()), default=0)

    @property
    def overhead(self) -> float:
        """Bytes that the feature maps take over those of their codes alone, at least 1."""
        taken = sum(region.size for region in self.regions.values())
        codes = sum(region.tensor.bits for region in self.regions.values())
        return 8 * taken / codes if codes else 1.0


def map_external(schedule: Schedule, pin: int, packed: PackedWords) -> ExternalMap:
    """Place every stored feature map, largest first, at the lowest offset that is free."""
    stored = stored_tensors(schedule)
    shapes = {}
    for name, life in stored.items():
        groups = -(-life.tensor.channels // pin)
        row = life.tensor.width * groups * packed.word_bytes
        shapes[name] = groups, -(-row // packed.bus_bytes) * packed.bus_bytes
    sizes = {name: stored[name].tensor.height * stride for name, (_, stride) in shapes.items()}
    bases = place_tensors(stored, sizes)
    return ExternalMap(
        {
            name: ExternalRegion(stored[name].tensor, base, *shapes[name], *stored[name].steps)
            for name, base in bases.items()
        }
    )
