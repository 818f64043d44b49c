"""Lowers a network to steps: pooling, upsampling and concatenation dissolve into addressing."""

from dataclasses import dataclass
from math import lcm

from ..errors import FxhwError
from ..graph import Concat, Conv, Head, MaxPool, Network, TensorInfo, Upsample

__all__ = [
    "Schedule",
    "Source",
    "Step",
    "least_weight_words",
    "schedule_network",
    "with_halo",
]


@dataclass(frozen=True)
class Source:
    """A stored feature map a step reads, at its own resolution or upsampled by two."""

    tensor: TensorInfo
    up: bool


@dataclass(frozen=True)
class Step:
    """One output tile of a strip of columns of one convolution on the main array.

    A strip is computed on a raster that has a column more on either side, but for the image's
    own borders: the halo, whose results are dropped.

    Parameters
    ----------
    conv : the convolution.
    sources : one or two feature maps; empty when the input comes from the first convolution.
    out : the convolution's result.
    pooled : its pooled copy, or None.
    store_full : whether ``out`` itself is written.
    to_head : whether the result feeds the head.
    first_channel, channels : the tile's output channels.
    first_column, columns : the strip's columns; all of them where the layer's rows fit.
    """

    conv: Conv
    sources: tuple[Source, ...]
    out: TensorInfo
    pooled: TensorInfo | None
    store_full: bool
    to_head: bool
    first_channel: int
    channels: int
    first_column: int
    columns: int

    @property
    def stored(self) -> list[tuple[TensorInfo, slice]]:
        """Feature maps that are written, and which columns of them."""
        first, end = self.strip
        maps = [(self.out, slice(first, end))] if self.store_full else []
        if self.pooled:
            maps.append((self.pooled, slice(first // 2, -(-end // 2))))
        return maps

    @property
    def macs(self) -> int:
        """Useful multiply-accumulates of the main array; the image's and the head's are not its."""
        return self.out.height * self.columns * self.channels * self.conv.fan_in

    @property
    def strip(self) -> tuple[int, int]:
        """First column, and the one behind the last."""
        return self.first_column, self.first_column + self.columns

    @property
    def raster(self) -> tuple[int, int]:
        """The same of the columns it is computed on."""
        return with_halo(*self.strip, self.out.width)

    @property
    def raster_columns(self) -> int:
        """How many those are."""
        first, end = self.raster
        return end - first

    @property
    def pooled_columns(self) -> int:
        """Pairs of them, the odd one rounded up."""
        return -(-self.raster_columns // 2)


@dataclass(frozen=True)
class Schedule:
    """Everything the accelerator does for one image.

    Parameters
    ----------
    image : the image.
    front : the first convolution, computed while the image streams in.
    front_out : its result, which goes straight to the first step.
    steps : the main array's steps in order.
    head : the 1x1 head behind the last step.
    """

    image: TensorInfo
    front: Conv
    front_out: TensorInfo
    steps: tuple[Step, ...]
    head: Head

    def groups(self, step: Step, pin: int, pout: int) -> tuple[int, int, int]:
        """(input groups of source A, of source B, output groups) of a step."""
        tensors = [source.tensor for source in step.sources] or [self.front_out]
        groups = [-(-tensor.channels // pin) for tensor in tensors]
        return groups[0], sum(groups[1:]), -(-step.channels // pout)


def with_halo(first: int, end: int, width: int) -> tuple[int, int]:
    """Columns ``first`` to ``end`` of a row of ``width`` and those beside them that there are."""
    return max(0, first - 1), min(width, end + 1)


def schedule_network(
    network: Network,
    pin: int,
    pout: int,
    weight_words: int | None = None,
    row_words: int | None = None,
) -> Schedule:
    """Steps of ``network`` at its own size.

    Parameters
    ----------
    pin, pout : channels the array takes and makes per cycle.
    weight_words : most weight words of a step; layers that need more are cut into tiles of
        output channels (default: no limit, one tile per layer).
    row_words : most words of a row of a step's input; layers with longer ones are cut into strips
        of columns (default: no limit, one strip per layer).  All steps of a layer come before
        those of the next.

    Raises
    ------
    FxhwError if the network is not one the accelerator runs, naming the layer.
    """
    tensors = network.tensors()
    readers: dict[str, list] = {}
    for op in network.ops:
        for name in op.inputs if isinstance(op, Concat) else (op.input,):
            readers.setdefault(name, []).append(op)
    front, second = _check_front(network, readers)
    steps = []
    for conv in network.convs[1:]:
        sources = () if conv is second else _sources(network, tensors, conv)
        inputs = [source.tensor for source in sources] or [tensors[front.output]]
        groups_in = sum(-(-tensor.channels // pin) for tensor in inputs)
        pooled, stored, to_head = _sinks(network, tensors, conv, readers.get(conv.output, []))
        tiles = _tiles(conv, groups_in, pin, pout, weight_words)
        if len(tiles) > 1 and (to_head or conv is second):
            raise FxhwError(
                f"Layer {conv.name} needs {len(tiles)} tiles at {weight_words} weight words, but "
                "a layer that reads the first convolution or feeds the head must fit in one; "
                f"allow {groups_in * -(-conv.out_channels // pout)} weight words"
            )
        out = tensors[conv.output]
        strips = _strips(conv, out.width, groups_in, row_words, 2 if pooled else 1)
        steps += [
            Step(conv, sources, out, pooled, stored, to_head, *tile, *strip)
            for tile in tiles
            for strip in strips
        ]
    if not steps[-1].to_head:
        raise FxhwError("The head must read the last convolution's result")
    return Schedule(tensors["image"], front, tensors[front.output], tuple(steps), network.head)


def least_weight_words(network: Network, pin: int, pout: int) -> int:
    """Fewest weight words of a step with which every layer of ``network`` runs, in tiles or, where
    that cannot be, whole.

    Raises
    ------
    FxhwError as :func:`schedule_network`.
    """
    schedule = schedule_network(network, pin, pout)
    least = 0
    for step in schedule.steps:
        inputs = [source.tensor for source in step.sources] or [schedule.front_out]
        groups_in = sum(-(-tensor.channels // pin) for tensor in inputs)
        channels = step.channels
        if step.sources and not step.to_head:
            channels = min(channels, lcm(pin, pout))
        least = max(least, groups_in * -(-channels // pout))
    return least


def _check_front(network: Network, readers: dict[str, list]) -> tuple[Conv, Conv]:
    """The first convolution and the one it streams into."""
    convs = network.convs
    if len(convs) < 2:
        raise FxhwError(f"The network must have at least 2 convolutions, not {len(convs)}")
    front, second = convs[:2]
    if front.input != "image" or len(readers["image"]) != 1:
        raise FxhwError("The image must be read by the first convolution and by nothing else")
    if second.input != front.output or len(readers[front.output]) != 1:
        raise FxhwError(
            f"Layer {front.name} must feed exactly one convolution, the next one: its result is "
            "streamed, never stored"
        )
    return front, second


def _sources(network: Network, tensors: dict[str, TensorInfo], conv: Conv) -> tuple[Source, ...]:
    """Stored feature maps behind ``conv``'s input, through concatenation and upsampling."""
    producer = network.producer(conv.input)
    names = producer.inputs if isinstance(producer, Concat) else (conv.input,)
    sources = []
    for name in names:
        op = network.producer(name)
        if isinstance(op, Upsample):
            name, op = op.input, network.producer(op.input)
            sources.append(Source(tensors[name], up=True))
        else:
            sources.append(Source(tensors[name], up=False))
        if not isinstance(op, Conv | MaxPool) or (
            isinstance(op, MaxPool) and not isinstance(network.producer(op.input), Conv)
        ):
            raise FxhwError(
                f"Layer {conv.name} reads {name}, which is not a convolution's result or its "
                "pooled copy"
            )
    return tuple(sources)


def _sinks(
    network: Network, tensors: dict[str, TensorInfo], conv: Conv, readers: list
) -> tuple[TensorInfo | None, bool, bool]:
    """(pooled copy, whether the result itself is stored, whether the head reads it)."""
    pools = [op for op in readers if isinstance(op, MaxPool)]
    heads = [op for op in readers if isinstance(op, Head)]
    if not readers:
        raise FxhwError(f"Layer {conv.name} has a result nothing reads; remove it")
    if len(pools) > 1:
        raise FxhwError(f"Layer {conv.name} is pooled twice; pool it once and share the result")
    if heads and conv is not network.convs[-1]:
        raise FxhwError(f"Layer {conv.name} feeds the head but is not the last convolution")
    if heads and pools:
        raise FxhwError(
            f"Layer {conv.name} feeds the head and is pooled, which nothing can read; remove "
            f"{pools[0].name}"
        )
    stored = len(readers) > len(pools) + len(heads)
    return tensors[pools[0].output] if pools else None, stored, bool(heads)


def _tiles(conv: Conv, groups_in: int, pin: int, pout: int, weight_words: int | None):
    """(first channel, channels) of each tile; borders fall on whole words in and out."""
    groups_out = -(-conv.out_channels // pout)
    if weight_words is None or groups_in * groups_out <= weight_words:
        return [(0, conv.out_channels)]
    grain = lcm(pin, pout)
    channels = weight_words // groups_in * pout // grain * grain
    if channels == 0:
        raise FxhwError(
            f"Layer {conv.name} needs {groups_in * grain // pout} weight words for its smallest "
            f"tile of {grain} channels, but a step may hold {weight_words}"
        )
    return [
        (first, min(channels, conv.out_channels - first))
        for first in range(0, conv.out_channels, channels)
    ]


def _strips(
    conv: Conv, width: int, groups_in: int, row_words: int | None, grain: int
) -> list[tuple[int, int]]:
    """(first column, columns) of the fewest strips whose rows fit, as wide as each other as can
    be; all but the last are multiples of ``grain`` wide."""
    for count in range(1, max(1, -(-width // 2)) + 1):
        whole, more = divmod(-(-width // grain), count)
        ends = [min(width, grain * (whole * n + min(n, more))) for n in range(count + 1)]
        strips = list(zip(ends, ends[1:]))
        rasters = [with_halo(*strip, width) for strip in strips]
        widest = max(end - first for first, end in rasters)
        if row_words is None or widest * groups_in <= row_words:
            return [(first, end - first) for first, end in strips]
    raise FxhwError(
        f"Layer {conv.name} needs {widest * groups_in} line buffer words for a strip of "
        f"{min(2, width)} columns and those beside it, but a row may have {row_words}; allow more"
    )
