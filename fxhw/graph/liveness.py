"""How much of a network's feature maps lives at once."""

from collections.abc import Iterable, Mapping

from .ops import Concat

__all__ = ["peak_bits"]


def peak_bits(layers: Iterable, bits: Mapping[str, int]) -> int:
    """Most bits of tensors alive at once, a layer's inputs and result included.

    A concatenation is its two inputs and takes nothing itself.

    Parameters
    ----------
    layers : in the order in which they run; all but a concatenation have ``input`` and ``output``.
    bits : of every tensor that counts, the image among them as ``image``.
    """
    layers = list(layers)
    parts = {name: {name} for name in bits}
    last_use = {}
    for index, layer in enumerate(layers):
        if isinstance(layer, Concat):
            parts[layer.output] = set().union(*(parts[name] for name in layer.inputs))
            continue
        for part in parts[layer.input]:
            last_use[part] = index
    alive, peak = {"image"}, 0
    for index, layer in enumerate(layers):
        if not isinstance(layer, Concat) and layer.output in bits:
            alive.add(layer.output)
        peak = max(peak, sum(bits[name] for name in alive))
        alive = {name for name in alive if last_use.get(name, -1) > index}
    return peak
