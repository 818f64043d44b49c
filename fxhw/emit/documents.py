"""The text files beside the Verilog: register map, program listing, program words, FuseSoC core."""

from dataclasses import fields

from ..plan import Design, Plan
from ..plan.program import Descriptor, Kind
from ..plan.registers import CAUSE_TEXT, ERROR_TEXT, errors_of, registers_of

__all__ = ["descriptor_fields", "fusesoc_core", "program_hex", "program_listing", "registers_page"]


def markdown_table(rows: list[tuple]) -> str:
    """A Markdown table; the first of ``rows`` is its header."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines) + "\n"


def registers_page(
    top: str, mul_bits: int = 0, kinds: bool = False, memory: str = "onchip"
) -> str:
    """The register map in Markdown, of a design with multipliers of ``mul_bits``, or none.

    ``kinds`` says whether there are other codes than fixed weights and unsigned activations,
    ``memory`` where the memory is, as in :class:`~fxhw.plan.Design`.
    """
    external = memory != "onchip"
    table = registers_of(external)
    texts = {name: register.text for name, register in table.items()}
    if kinds:
        texts["WIDTHS"] += ", wbits and abits with their kinds in bits 7..4, as in descriptors"
    if mul_bits:
        texts["BUS_BITS"] += f" | bits of a multiplier ({mul_bits}) << 16"
    registers = [("offset", "register", "access", "holds")]
    registers += [
        (f"0x{r.offset:02x}", r.name, r.access, texts[r.name]) for r in table.values()
    ]
    errors = [("code", "name", "meaning")]
    errors += [(int(code), code.name, ERROR_TEXT[code]) for code in errors_of(external)]
    causes = [("cause", "cycles in which")]
    causes += [(cause.name, text) for cause, text in CAUSE_TEXT.items()]
    return (
        f"# Registers of {top}\n\n"
        f"{_WISHBONE if memory == 'wishbone' else _AXI_LITE}\n"
        f"{markdown_table(registers)}\n"
        f"{_RUN_EXTERNAL if external else _RUN_ON_CHIP}\n"
        f"## Error codes\n\n{markdown_table(errors)}\n"
        f"## Causes of cycles\n\n{markdown_table(causes)}"
    )


_AXI_LITE = (
    "AXI4-Lite, 32-bit words, offsets in bytes. A write of less than a word, and any access past "
    "the\nlast register, is answered with SLVERR and has no effect.\n"
)

_WISHBONE = (
    "Wishbone, 32-bit words, offsets in bytes: four times the word address on the bus. A write of\n"
    "less than a word, and any access past the last register, is answered with ERR and has no\n"
    "effect.\n"
)

_RUN_ON_CHIP = (
    "To run: stream the image in, write START, wait for STATUS.DONE or STATUS.ERROR (or the\n"
    "interrupt), read the mask. To load another network: write LOAD_ADDRESS 0, then every\n"
    "line of its program.hex to LOAD_DATA.\n"
)

_RUN_EXTERNAL = (
    "To run: write program and image to memory, their addresses and sizes and those of features\n"
    "and mask to the registers, write START, wait for STATUS.DONE or STATUS.ERROR (or the\n"
    "interrupt), read the mask from memory. START is refused if two ranges overlap or a base is\n"
    "no multiple of the bus's bytes; nothing outside the four ranges is ever touched.\n"
)


_LEFT_OUT = (
    "multiplier_bits", "full_row_stride", "pool_row_beats", "trim_left", "trim_right", "odd",
    "keep",
)
"""Fields that are not listed where they are 0: not every design has them."""


def descriptor_fields(descriptor: Descriptor) -> dict:
    """A descriptor's fields as JSON types, the kinds by name."""
    entry = {}
    for field in fields(descriptor):
        value = getattr(descriptor, field.name)
        if value or field.name not in _LEFT_OUT:
            entry[field.name] = value.name if field.name in ("kind", "kernel") else int(value)
    return entry


def program_listing(top: str, plan: Plan) -> str:
    """The program for a reader: one section per descriptor."""
    design = plan.design
    if design.external:
        where, unit = "PROGRAM's range", "bytes from the start of\nFEATURE's range"
    else:
        where, unit = "the parameter memory", f"words\nof {design.pin} codes"
    parts = [
        f"# Program of {top}\n\n"
        f"{len(plan.descriptors)} descriptors of 64 bytes at beat 0 of {where}, their "
        f"parameters behind\nthem; {len(plan.beats)} beats of {design.bus_bits} bits in all. "
        f"Addresses of feature maps are in {unit}, load addresses in beats. "
        "Fields that are 0 are left out.\n"
        f"{_requantization(design)}"
    ]
    for index, descriptor in enumerate(plan.descriptors):
        parts.append(f"\n## {index}: {_title(plan, index, descriptor)}\n\n")
        entry = descriptor_fields(descriptor)
        shown = [(name, value) for name, value in entry.items() if value != 0]
        parts.append(markdown_table([("field", "value"), *shown]))
        words = descriptor.encode().to_bytes(64, "little")
        lines = []
        for start in range(0, 64, 16):
            chunk = [words[start + n : start + n + 4][::-1].hex() for n in range(0, 16, 4)]
            lines.append("    " + " ".join(chunk))
        parts.append("\n" + "\n".join(lines) + "\n")
    return "".join(parts)


def _requantization(design: Design) -> str:
    """What a requantization word holds, where that is more than biases and shifts."""
    if not design.mul_bits:
        return ""
    main, front = (spec.requantize for spec in (design.main, design.front))
    return (
        f"\nRequantization words hold the biases of {design.pout} lanes ({main.bias.width} bits "
        f"each), their shifts\n({main.shift_width}) and their multipliers ({main.mul_bits}); the "
        f"first convolution's those of {design.pin} lanes\n({front.bias.width}, "
        f"{front.shift_width} and {front.mul_bits} bits).\n"
    )


def _title(plan: Plan, index: int, descriptor: Descriptor) -> str:
    if descriptor.kind is Kind.FRONT:
        return f"first convolution, {plan.schedule.front.name}{_strip(plan, index + 1)}"
    if descriptor.kind is Kind.HEAD:
        return f"head, {plan.schedule.head.name}"
    step = plan.schedule.steps[plan.places.index(index)]
    last = step.first_channel + step.channels - 1
    reads = " and ".join(
        source.tensor.name + (" upsampled" if source.up else "") for source in step.sources
    )
    writes = [step.out.name] if step.store_full else []
    writes += [step.pooled.name] if step.pooled else []
    writes += ["the head"] if step.to_head else []
    return (
        f"{step.conv.name}, channels {step.first_channel} .. {last}{_strip(plan, index)}, reads "
        f"{reads or plan.schedule.front_out.name + ' as it is made'}, feeds {' and '.join(writes)}"
    )


def _strip(plan: Plan, index: int) -> str:
    """The columns of the first step from descriptor ``index`` on, unless it makes all of them."""
    step = plan.schedule.steps[next(n for n, at in enumerate(plan.places) if at >= index)]
    first, end = step.strip
    return f", columns {first} .. {end - 1}" if step.columns < step.out.width else ""


def program_hex(plan: Plan) -> str:
    """Program and parameters as 32-bit words, in LOAD_DATA's order or as they lie in external
    memory, one per line."""
    words = []
    for beat in plan.beats:
        for position in range(0, plan.design.bus_bits, 32):
            words.append(f"{(beat >> position) & 0xFFFF_FFFF:08x}\n")
    return "".join(words)


def fusesoc_core(top: str, memories: list[str]) -> str:
    """A FuseSoC core description (CAPI2)."""
    copied = "".join(
        f"      - {name}: {{file_type: verilogSource, is_include_file: true}}\n"
        if name.endswith(".vh")
        else f"      - {name}: {{file_type: user, copyto: {name}}}\n"
        for name in memories
    )
    return (
        "CAPI=2:\n"
        f"name: fxhw:generated:{top}:1.0.0\n"
        "description: U-Net accelerator generated by fxhw\n"
        "filesets:\n"
        "  rtl:\n"
        "    files:\n"
        f"      - {top}.v: {{file_type: verilogSource}}\n"
        f"{copied}"
        "targets:\n"
        "  default: &default\n"
        "    filesets: [rtl]\n"
        f"    toplevel: {top}\n"
        "  lint:\n"
        "    <<: *default\n"
        "    flow: lint\n"
        "    flow_options:\n"
        "      tool: verilator\n"
    )
