"""Random crops of training images: turned, scaled, bent and recoloured (NumPy only)."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Augmentation", "augment", "crop_size", "draw_batch"]


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far a crop may stray from its image.

    Parameters
    ----------
    symmetries : 1 leaves a crop as it lies, 2 mirrors half of the crops left to right, 8 draws
        one of all symmetries (4 of them where crops are not square).
    warped : share of the crops that are warped, by all of the following.
    angle : largest turn in degrees.
    scale : largest factor by which a crop is enlarged or shrunk.
    stretch : largest factor between the scales of rows and columns.
    bend, spacing : standard deviation in pixels of the displacements at every ``spacing``-th pixel.
    gain, offset : largest factor of the contrast and largest shift of the codes.
    gamma : largest exponent (or its reciprocal) of the tone curve over 0 .. 255.
    shading : largest deviation of the smooth factor that darkens one side.
    blurred : share of the crops that are blurred a little.
    noise : largest standard deviation of the noise that 30 % of the crops receive.
    """

    symmetries: int = 8
    warped: float = 0.9
    angle: float = 20
    scale: float = 1.25
    stretch: float = 1.15
    bend: float = 2.5
    spacing: int = 32
    gain: float = 1.3
    offset: float = 20
    gamma: float = 1.0
    shading: float = 0.0
    blurred: float = 0.0
    noise: float = 12


def crop_size(images, crop: int) -> tuple[int, int]:
    """(height, width) of the crops: ``crop`` squared, less where an image is smaller."""
    return tuple(min(crop, *(image.shape[axis] for image in images)) for axis in (0, 1))


def draw_batch(
    samples, size: tuple[int, int], rng, options: Augmentation = Augmentation()
) -> tuple[np.ndarray, np.ndarray]:
    """One augmented crop per sample: uint8 (n, height, width, channels), bool (n, height, width).

    ``rng`` is a ``numpy.random.Generator``.
    """
    pairs = [augment(sample.image, sample.label, size, rng, options) for sample in samples]
    return np.stack([image for image, _ in pairs]), np.stack([label for _, label in pairs])


def augment(
    image, label, size: tuple[int, int], rng, options: Augmentation = Augmentation()
) -> tuple[np.ndarray, np.ndarray]:
    """A random crop of ``size`` of a uint8 image (h, w, c) and its bool label (h, w)."""
    top, left = (int(rng.integers(n - m + 1)) for n, m in zip(image.shape, size))
    if rng.random() < options.warped:
        crop, mask = _warped(image, label, (top, left), size, rng, options)
    else:
        window = (slice(top, top + size[0]), slice(left, left + size[1]))
        crop, mask = image[window].astype(np.float32), label[window]
    crop, mask = _turned(crop, mask, rng, options.symmetries)
    return _recoloured(crop, rng, options), np.ascontiguousarray(mask)


def _turned(crop, mask, rng, symmetries: int):
    """One of ``symmetries`` symmetries."""
    if symmetries == 8:
        turns = rng.integers(4) if crop.shape[0] == crop.shape[1] else 2 * rng.integers(2)
        crop, mask = np.rot90(crop, turns), np.rot90(mask, turns)
    if symmetries > 1 and rng.random() < 0.5:
        crop, mask = crop[:, ::-1], mask[:, ::-1]
    return crop, mask


def _recoloured(crop, rng, options: Augmentation) -> np.ndarray:
    """Sharpness, tone curve, shading, contrast, brightness and noise changed, as uint8 codes."""
    if rng.random() < options.blurred:
        crop = _blurred(crop, rng.uniform(0, 0.33))
    if options.gamma > 1:
        exponent = _factor(options.gamma, rng)
        crop = 255 * (np.clip(crop, 0, 255) / 255) ** exponent
    if options.shading > 0:
        crop = crop * _shading(crop.shape, rng, options.shading)
    mean = crop.mean()
    crop = (crop - mean) * _factor(options.gain, rng) + mean
    crop += np.float32(rng.uniform(-options.offset, options.offset))
    if rng.random() < 0.3:
        sigma = np.float32(rng.uniform(0, options.noise))
        crop += sigma * rng.standard_normal(crop.shape, dtype=np.float32)
    return np.clip(np.rint(crop), 0, 255).astype(np.uint8)


def _factor(limit: float, rng) -> np.float32:
    """A factor in 1 / ``limit`` .. ``limit``, its logarithm uniform."""
    return np.float32(np.exp(np.log(limit) * rng.uniform(-1, 1)))


def _shading(shape, rng, limit: float) -> np.ndarray:
    """Factors (h, w, 1) in 1 - ``limit`` .. 1 + ``limit``, linear between 3 x 3 nodes."""
    down, across = (_interpolation(n, 3) for n in shape[:2])
    nodes = rng.uniform(1 - limit, 1 + limit, (3, 3))
    return (down @ nodes @ across.T).astype(np.float32)[:, :, None]


def _blurred(crop, weight: float) -> np.ndarray:
    """Every pixel mixed with its neighbours: ``weight`` each for the two along either axis."""
    for axis in (0, 1):
        along = np.arange(crop.shape[axis])
        before = crop.take(np.maximum(along - 1, 0), axis)
        after = crop.take(np.minimum(along + 1, along[-1]), axis)
        crop = np.float32(1 - 2 * weight) * crop + np.float32(weight) * (before + after)
    return crop


def _warped(image, label, origin, size, rng, options: Augmentation):
    """The crop turned, scaled and bent; what lies outside of the image is mirrored."""
    angle = np.deg2rad(rng.uniform(-options.angle, options.angle))
    scale, stretch = _factor(options.scale, rng), np.sqrt(_factor(options.stretch, rng))
    y = (np.arange(size[0], dtype=np.float32)[:, None] - (size[0] - 1) / 2)
    x = (np.arange(size[1], dtype=np.float32)[None, :] - (size[1] - 1) / 2)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    rows = (cos * y - sin * x) * stretch + _bend(size, rng, options)
    cols = (sin * y + cos * x) / stretch + _bend(size, rng, options)
    rows = _mirrored(rows + origin[0] + (size[0] - 1) / 2, image.shape[0])
    cols = _mirrored(cols + origin[1] + (size[1] - 1) / 2, image.shape[1])
    nearest = np.rint(rows).astype(np.intp), np.rint(cols).astype(np.intp)
    return _bilinear(image, rows, cols), label[nearest]


def _bend(size, rng, options: Augmentation) -> np.ndarray:
    """Gaussian displacements in pixels at every ``spacing``-th pixel, linear in between."""
    across = [_interpolation(n, n // options.spacing + 2) for n in size]
    coarse = options.bend * rng.standard_normal([m.shape[1] for m in across])
    return (across[0] @ coarse @ across[1].T).astype(np.float32)


def _interpolation(length: int, nodes: int) -> np.ndarray:
    """(length, nodes) weights of a linear interpolation."""
    position = np.linspace(0, nodes - 1, length)[:, None]
    return np.clip(1 - np.abs(position - np.arange(nodes)), 0, None)


def _mirrored(position, length: int) -> np.ndarray:
    """Positions folded back into 0 .. length - 1."""
    if length == 1:
        return np.zeros_like(position)
    position = np.abs(position) % (2 * (length - 1))
    return np.minimum(position, 2 * (length - 1) - position)


def _bilinear(image, rows, cols) -> np.ndarray:
    """float32 (h, w, c) of the image at positions (h, w) inside of it."""
    top = np.clip(np.floor(rows).astype(np.intp), 0, max(image.shape[0] - 2, 0))
    left = np.clip(np.floor(cols).astype(np.intp), 0, max(image.shape[1] - 2, 0))
    bottom = np.minimum(top + 1, image.shape[0] - 1)
    right = np.minimum(left + 1, image.shape[1] - 1)
    dy = (rows - top).astype(np.float32)[:, :, None]
    dx = (cols - left).astype(np.float32)[:, :, None]
    image = image.astype(np.float32)
    upper = image[top, left] * (1 - dx) + image[top, right] * dx
    lower = image[bottom, left] * (1 - dx) + image[bottom, right] * dx
    return upper * (1 - dy) + lower * dy
