"""Images and masks as files: 8-bit pixels in, black-and-white PNGs out."""

import contextlib
import os
import struct
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from .errors import FxhwError
from .fixed import FixedFormat

__all__ = [
    "IMAGE_SUFFIXES",
    "image_codes",
    "list_images",
    "read_image",
    "read_label",
    "write_mask",
]

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff")
"""File name endings taken as images when a folder is listed."""

_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error)
"""What Pillow's decoders raise on a damaged file."""


def list_images(folder: str | os.PathLike) -> list[Path]:
    """The images in ``folder``, not in its sub-folders, sorted by name; hidden files are skipped.

    Raises
    ------
    FxhwError if the folder does not exist or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FxhwError(f"Folder {folder} does not exist")
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and path.name[0] != "."
    )
    if not paths:
        raise FxhwError(
            f"Folder {folder} holds no image (a file ending in {', '.join(IMAGE_SUFFIXES)})"
        )
    return paths


def read_image(path: str | os.PathLike, channels: int | None = None) -> np.ndarray:
    """Pixels of an 8-bit grey or RGB image.

    Parameters
    ----------
    channels : 1 or 3 to convert (grey of a coloured image is its luminance), None for the
        file's own; an alpha channel is dropped.

    Returns
    -------
    uint8 (height, width, channels).

    Raises
    ------
    FxhwError if the file is missing, not an image, damaged, deeper than 8 bits or a stack.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise FxhwError(f"Image {path} does not exist or is not a file")
        with Image.open(path) as image:
            frames = getattr(image, "n_frames", 1)
            if frames > 1:
                raise FxhwError(f"Image {path} is a stack of {frames}; save each as one file")
            if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"):
                raise FxhwError(
                    f"Image {path} has pixels of kind {image.mode}, not 8-bit grey or RGB; "
                    "scale them to 8 bits first"
                )
            grey = image.mode in ("1", "L", "LA")
            pixels = np.asarray(image.convert("L" if grey else "RGB"))
    except UnidentifiedImageError as error:
        raise FxhwError(f"Image {path} is not an image file that can be read") from error
    except Image.DecompressionBombError as error:
        raise FxhwError(f"Image {path} is too large to open: {error}") from error
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise FxhwError(f"Image {path} cannot be read: {error.strerror}") from error
        raise FxhwError(f"Image {path} is damaged or truncated ({error})") from error
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if channels == 3 and pixels.shape[2] == 1:
        return pixels.repeat(3, axis=2)
    if channels == 1 and pixels.shape[2] == 3:
        if (pixels == pixels[:, :, :1]).all():
            return pixels[:, :, :1].copy()
        return np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None]
    return pixels


def image_codes(pixels: np.ndarray, fmt: FixedFormat) -> np.ndarray:
    """Codes (uint8) of 8-bit ``pixels`` in a network's image format: the high bits of each."""
    return np.asarray(pixels, np.uint8) >> np.uint8(8 - fmt.width)


def read_label(path: str | os.PathLike) -> np.ndarray:
    """A label image, bool (height, width): two values, 0 and 255 or 0 and 1.

    Raises
    ------
    FxhwError as :func:`read_image`, and if the image is coloured or has other values.
    """
    pixels = read_image(path)
    if not (pixels == pixels[:, :, :1]).all():
        raise FxhwError(f"Label {path} is coloured; it must be black and white")
    values = np.unique(pixels[:, :, 0]).tolist()
    if not (set(values) <= {0, 255} or set(values) <= {0, 1}):
        shown = ", ".join(map(str, values[:8])) + (", ..." if len(values) > 8 else "")
        raise FxhwError(
            f"Label {path} has {len(values)} different values ({shown}); "
            "it must hold 0 and 255 alone, or 0 and 1"
        )
    return pixels[:, :, 0] > 0


def write_mask(path: str | os.PathLike, mask: np.ndarray) -> None:
    """Write a bool (height, width) mask as a PNG of 0 and 255: a temporary file, then a rename.

    Raises
    ------
    FxhwError if the file cannot be written; a file already there is left as it was.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    image = Image.fromarray(np.where(np.asarray(mask, bool), 255, 0).astype(np.uint8))
    try:
        image.save(temporary, format="PNG")
        os.replace(temporary, path)
    except OSError as error:
        raise FxhwError(f"Mask {path} cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
