"""Random crops of training images: flips, turns, mild warps, changes of intensity (NumPy only)."""

import numpy as np

__all__ = ["augment", "crop_size", "draw_batch"]


def crop_size(images, crop: int) -> tuple[int, int]:
    """(height, width) of the crops: ``crop`` squared, less where an image is smaller."""
    return tuple(min(crop, *(image.shape[axis] for image in images)) for axis in (0, 1))


def draw_batch(samples, size: tuple[int, int], rng) -> tuple[np.ndarray, np.ndarray]:
    """One augmented crop per sample: uint8 (n, height, width, channels), bool (n, height, width).

    ``rng`` is a ``numpy.random.Generator``.
    """
    pairs = [augment(sample.image, sample.label, size, rng) for sample in samples]
    return np.stack([image for image, _ in pairs]), np.stack([label for _, label in pairs])


def augment(image, label, size: tuple[int, int], rng) -> tuple[np.ndarray, np.ndarray]:
    """A random crop of ``size`` of a uint8 image (h, w, c) and its bool label (h, w)."""
    top, left = (int(rng.integers(n - m + 1)) for n, m in zip(image.shape, size))
    if rng.random() < 0.5:
        crop, mask = _warped(image, label, (top, left), size, rng)
    else:
        window = (slice(top, top + size[0]), slice(left, left + size[1]))
        crop, mask = image[window].astype(np.float32), label[window]
    crop, mask = _turned(crop, mask, rng)
    return _recoloured(crop, rng), np.ascontiguousarray(mask)


def _turned(crop, mask, rng):
    """One of the eight symmetries of the square, or of the four of the rectangle."""
    turns = rng.integers(4) if crop.shape[0] == crop.shape[1] else 2 * rng.integers(2)
    crop, mask = np.rot90(crop, turns), np.rot90(mask, turns)
    if rng.random() < 0.5:
        crop, mask = crop[:, ::-1], mask[:, ::-1]
    return crop, mask


def _recoloured(crop, rng) -> np.ndarray:
    """Contrast, brightness and noise changed, as uint8 codes."""
    mean = crop.mean()
    crop = (crop - mean) * np.float32(rng.uniform(0.75, 1.25)) + mean
    crop += np.float32(rng.uniform(-20, 20))
    if rng.random() < 0.3:
        sigma = np.float32(rng.uniform(0, 12))
        crop += sigma * rng.standard_normal(crop.shape, dtype=np.float32)
    return np.clip(np.rint(crop), 0, 255).astype(np.uint8)


def _warped(image, label, origin, size, rng):
    """The crop turned by up to 15 degrees, scaled by up to 15 % and bent by a few pixels."""
    angle, scale = np.deg2rad(rng.uniform(-15, 15)), rng.uniform(0.87, 1.15)
    y = np.arange(size[0], dtype=np.float32)[:, None] - (size[0] - 1) / 2
    x = np.arange(size[1], dtype=np.float32)[None, :] - (size[1] - 1) / 2
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    rows = cos * y - sin * x + _smooth_noise(size, rng) + origin[0] + (size[0] - 1) / 2
    cols = sin * y + cos * x + _smooth_noise(size, rng) + origin[1] + (size[1] - 1) / 2
    rows, cols = _mirrored(rows, image.shape[0]), _mirrored(cols, image.shape[1])
    nearest = np.rint(rows).astype(np.intp), np.rint(cols).astype(np.intp)
    return _bilinear(image, rows, cols), label[nearest]


def _smooth_noise(size, rng, spacing: int = 32, amplitude: float = 2.5) -> np.ndarray:
    """Gaussian displacements in pixels at every ``spacing``-th pixel, linear in between."""
    across = [_interpolation(n, n // spacing + 2) for n in size]
    coarse = amplitude * rng.standard_normal([m.shape[1] for m in across])
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
