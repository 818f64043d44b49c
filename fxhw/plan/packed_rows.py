"""What is read and written, piece by piece, of feature maps in packed rows."""

from dataclasses import dataclass

from .packed_words import PackedWords

__all__ = ["PackedRows", "Piece", "source_columns"]


def source_columns(width: int, up: bool, odd: bool) -> int:
    """Pixels of a stored row that ``width`` columns of a raster touch.

    With ``up`` a pixel is two columns, and ``odd`` says that the raster starts at the second.
    """
    return (width + odd + 1) >> 1 if up else width


@dataclass(frozen=True)
class Piece:
    """Words behind each other in memory: byte offset of the first, and how many."""

    offset: int
    words: int


@dataclass(frozen=True)
class PackedRows:
    """Rows of words in a range of memory, one every ``row_stride`` bytes.

    Parameters
    ----------
    packed : words and bus.
    base : byte offset of the first row in the range, a multiple of the words' unit, as the
        stride is (:attr:`PackedWords.unit_bytes`).
    row_stride : bytes from row to row.
    limit : bytes of the range.
    """

    packed: PackedWords
    base: int
    row_stride: int
    limit: int

    def __post_init__(self):
        unit = self.packed.unit_bytes
        if self.base % unit or self.row_stride % unit:
            raise ValueError(
                f"Rows must lie at multiples of {unit} bytes, not at {self.base} and every "
                f"{self.row_stride} bytes from there on"
            )

    def skip(self, piece: Piece) -> int:
        """Units of a piece's first beat that lie before it."""
        return piece.offset % self.packed.bus_bytes // self.packed.unit_bytes

    def size(self, piece: Piece) -> int:
        """Bytes of a piece."""
        return piece.words * self.packed.word_bytes

    def beats(self, piece: Piece) -> int:
        """Beats that a piece touches."""
        return self.packed.count_beats(self.skip(piece), piece.words)

    def read(
        self, *, width: int, height: int, groups: int, up: bool = False, odd: bool = False
    ) -> list[Piece]:
        """What a raster of ``height`` x ``width`` pixels of ``groups`` words takes, in order, up
        to the first row that does not lie in the range; upsampled rows come twice."""
        words = groups * source_columns(width, up, odd)
        offsets = (self.base + (y // 2 if up else y) * self.row_stride for y in range(height))
        return self._within(Piece(offset, words) for offset in offsets)

    def write(self, *, width: int, height: int, words: int, pixel_stride: int) -> list[Piece]:
        """Where ``words`` words per pixel go, ``pixel_stride`` words from pixel to pixel: rows
        that are written whole, or pixels; up to the first that does not lie in the range."""
        whole = words == pixel_stride
        columns, length = (1, words * width) if whole else (width, words)
        return self._within(
            Piece(
                self.base + y * self.row_stride + x * pixel_stride * self.packed.word_bytes, length
            )
            for y in range(height)
            for x in range(columns)
        )

    def _within(self, pieces) -> list[Piece]:
        found = []
        for piece in pieces:
            if piece.offset + self.size(piece) > self.limit:
                break
            found.append(piece)
        return found
