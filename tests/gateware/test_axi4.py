"""AXI4 ports have the signals of the specification, and refuse widths it does not have."""

import pytest

from fxhw.gateware.axi4 import Axi4ReadSignature, Axi4Signature, Axi4WriteSignature

ADDRESS = ["addr", "len", "size", "burst", "lock", "cache", "prot", "qos", "valid", "ready"]
READ = [*("ar" + name for name in ADDRESS), "rdata", "rresp", "rlast", "rvalid", "rready"]
WRITE = [
    *("aw" + name for name in ADDRESS),
    "wdata", "wstrb", "wlast", "wvalid", "wready", "bresp", "bvalid", "bready",
]


def names(signature):
    return sorted(signature.members.keys())


def test_members():
    assert names(Axi4ReadSignature(32, 64)) == sorted(READ)
    assert names(Axi4WriteSignature(32, 64)) == sorted(WRITE)
    ids = ["arid", "rid", "awid", "bid"]
    whole = Axi4Signature(40, 256, 4)
    assert names(whole) == sorted([*READ, *WRITE, *ids])
    port = whole.create()
    assert [len(getattr(port, name)) for name in ("araddr", "awaddr", *ids)] == [40, 40] + [4] * 4
    assert [len(getattr(port, name)) for name in ("rdata", "wdata", "wstrb")] == [256, 256, 32]


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ((65, 64, 0), "address bits must be 1 to 64, not 65"),
        ((32, 48, 0), "data bits must be a power of two from 8 to 1024, not 48"),
        ((32, 64, 17), "ID bits must be 0 to 16, not 17"),
    ],
)
def test_refused_widths(widths, message):
    for signature in Axi4ReadSignature, Axi4WriteSignature, Axi4Signature:
        with pytest.raises(ValueError, match=message):
            signature(*widths)
