"""What an accelerator does for one image, counted from its plan."""

from ..graph import Network
from ..plan import Plan
from .energy import Work

__all__ = ["count_work"]


def count_work(network: Network, plan: Plan) -> Work:
    """Operations and memory traffic of ``network`` as planned.

    Every useful multiply-accumulate is one multiplication and one addition as wide as the sum of
    one window; every lane adds to its accumulators once per cycle, and its bias once per result.
    A power of two counts as a multiplication by as many bits as it is stored in, a shift being no
    more.
    Registers, the accumulators' own storage and the row of the max-pool are left out.
    """
    design, macs = plan.design, network.macs()
    front, head, *convs = plan.descriptors
    image_macs = macs[plan.schedule.front.name]
    head_macs = macs[plan.schedule.head.name]
    main_macs = plan.estimate.macs
    main, first = design.main, design.front
    pixels = front.width * front.height
    # Of the array, a window each; of two pixels one for a pair.
    uses = sum(
        -(-d.width // main.pixels) * d.height * (d.groups_a + d.groups_b) * d.groups_out
        for d in convs
    )
    results = sum(d.width * d.height * d.groups_out for d in convs)
    words = sum(d.width * d.height * (d.groups_a + d.groups_b) for d in convs)
    read = sum(d.width * d.height * (d.groups_a + d.groups_b) for d in convs if not d.from_front)
    written = sum(
        d.words_out
        * (
            d.store_full * d.width * d.height
            + d.store_pool * -(-d.width // 2) * -(-d.height // 2)
        )
        for d in convs
    )
    front_uses = pixels * front.groups_a * front.groups_out
    parameters = len(plan.beats) * design.bus_bits
    memory = design.memory_bits
    return Work(
        multiplications=(
            (first.weight.bits, first.activation.width, image_macs),
            (main.weight.bits, main.activation.width, main_macs),
            (design.last_wbits, design.abits, head_macs),
        ),
        additions=(
            (first.partial.width, image_macs),
            (main.partial.width, main_macs),
            (design.head_accumulator.width, head_macs),
            (first.accumulator.width, (front_uses + pixels * front.groups_out) * first.lanes_out),
            (main.accumulator.width, (uses * main.sums + results) * main.lanes_out),
        ),
        accesses=(
            ("weight store", memory["weight store"], uses * main.weight_bits + parameters),
            # Each word is read from both rows and written to both.
            ("line buffers", main.row_words * main.word_bits, 4 * words * main.word_bits),
            ("features", memory["features"], (read + written) * design.feature_bits),
            ("parameters", memory["parameters"], parameters),
        ),
    )
