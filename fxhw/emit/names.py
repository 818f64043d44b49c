"""Names that Verilog lets a module have."""

import re

__all__ = ["KEYWORDS", "is_name", "to_name"]

KEYWORDS = frozenset(
    """
    always and assign automatic begin bit buf bufif0 bufif1 byte case casex casez cell class
    clocking cmos config const constraint context continue cover deassign default defparam design
    disable dist do edge else end endcase endclass endclocking endconfig endfunction endgenerate
    endgroup endinterface endmodule endpackage endprimitive endprogram endproperty endspecify
    endsequence endtable endtask enum event expect export extends extern final first_match for
    force foreach forever fork forkjoin function generate genvar global highz0 highz1 if iff
    ifnone ignore_bins illegal_bins import incdir include initial inout input inside instance int
    integer interface intersect join join_any join_none large liblist library local localparam
    logic longint macromodule matches medium modport module nand negedge new nmos nor
    noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge
    primitive priority program property protected pull0 pull1 pulldown pullup pulsestyle_ondetect
    pulsestyle_onevent pure rand randc randcase randsequence rcmos real realtime ref reg release
    repeat return rnmos rpmos rtran rtranif0 rtranif1 scalared sequence shortint shortreal
    showcancelled signed small solve specify specparam static string strong0 strong1 struct super
    supply0 supply1 table tagged task this throughout time timeprecision timeunit tran tranif0
    tranif1 tri tri0 tri1 triand trior trireg type typedef union unique unsigned use uwire var
    vectored virtual void wait wait_order wand weak0 weak1 while wildcard wire with within wor
    xnor xor
    """.split()
)
"""Words that Verilog or SystemVerilog keeps for itself."""


def is_name(text: str) -> bool:
    """Whether a module can be called ``text`` without being escaped."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) is not None and text not in KEYWORDS


def to_name(text: str) -> str:
    """``text`` made a name: other characters become ``_``, a prefix cures what is left."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", text)
    return name if is_name(name) else f"fxhw_{name}"
