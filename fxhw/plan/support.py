"""Which networks an accelerator can be made for, whatever its size."""

from ..errors import FxhwError
from ..fixed import FixedFormat, WeightFormat
from ..graph import Conv, Network
from .design import ACTIVATION_BITS, WEIGHT_BITS

__all__ = ["check_supported", "common_formats", "multiplier_bits"]


def check_supported(network: Network) -> None:
    """Check that the accelerator has the arithmetic of every layer.

    The first convolution and the head multiply: ternary weights are 2-bit two's complement codes
    to them, powers of two are nothing to them.

    Raises
    ------
    FxhwError naming the layer, what it has and what is supported.
    """
    elsewhere = "run it with 'fxhw golden', or train it with others"
    ends = *network.convs[:1], network.head
    for op in (*network.convs, network.head):
        if op.weight.kind == "power" and op in ends:
            raise FxhwError(
                f"Layer {op.name} has {op.weight.name} weights, powers of two, but the first "
                f"layer and the head multiply fixed and ternary weights only; {elsewhere}"
            )
        if op.weight.bits > WEIGHT_BITS["fixed"][1]:
            raise FxhwError(
                f"Layer {op.name} has {op.weight.bits}-bit weights, but the MAC array takes at "
                f"most {WEIGHT_BITS['fixed'][1]} bits; {elsewhere}"
            )
    for conv in network.convs:
        most = ACTIVATION_BITS[conv.out.kind][1]
        if conv.out.width > most:
            raise FxhwError(
                f"Layer {conv.name} has {conv.out.width}-bit activations, but the MAC array takes "
                f"at most {most} bits; {elsewhere}"
            )


def common_formats(network: Network) -> tuple[WeightFormat, FixedFormat]:
    """The weights of all layers between first and head, and the activations of all layers.

    The binary point of the activations plays no part.  Where some 2-bit weights are ternary and
    others are not, they are fixed ones.

    Raises
    ------
    FxhwError naming the layer that differs.
    """
    inner = network.convs[1:] or network.convs
    weight, activation = inner[0].weight, network.convs[0].out
    for conv in network.convs:
        if conv.out.width != activation.width:
            raise FxhwError(
                f"Layer {conv.name} has {conv.out.width}-bit activations, others have "
                f"{activation.width}; the array needs one width"
            )
        if conv.out.kind != activation.kind:
            raise FxhwError(
                f"Layer {conv.name} has {conv.out.kind} activations, others have "
                f"{activation.kind} ones; the array needs one kind"
            )
        if conv not in inner or conv.weight == weight:
            continue
        if conv.weight.bits != weight.bits:
            raise FxhwError(
                f"Layer {conv.name} has {conv.weight.bits}-bit weights, others have "
                f"{weight.bits}; the array needs one width"
            )
        if "power" in (conv.weight.kind, weight.kind):
            raise FxhwError(
                f"Layer {conv.name} has {conv.weight.name} weights, others have {weight.name} "
                "ones; the array needs one kind"
            )
        weight = WeightFormat(weight.bits)
    return weight, activation


def multiplier_bits(conv: Conv) -> int:
    """Bits of the multipliers ``conv`` needs; 0 where all of them are 1."""
    return conv.mul_bits if conv.mul_bits > 1 else 0
