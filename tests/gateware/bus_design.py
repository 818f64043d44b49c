"""A small design around one AXI4 port: two burst readers, two burst writers, their shares."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fxhw.gateware.axi4 import Axi4Signature
from fxhw.gateware.burst_reader import BurstReader
from fxhw.gateware.burst_writer import BurstWriter
from fxhw.gateware.bus_share import ReadShare, WriteShare

__all__ = ["BusDesign"]


class BusDesign(wiring.Component):
    """Members are those of the blocks, ``reader0_commands`` and so on, and ``bus``."""

    def __init__(self, spec, *, weights=(1, 2), id_bits=2, depth=64, outstanding=5):
        options = {"depth": depth, "outstanding": outstanding}
        self._blocks = {
            **{f"reader{n}": BurstReader(spec, **options) for n in range(2)},
            **{f"writer{n}": BurstWriter(spec, **options) for n in range(2)},
        }
        self._shares = {
            "reader": ReadShare(spec, weights, id_bits),
            "writer": WriteShare(spec, weights, id_bits),
        }
        members = {
            f"{name}_{port}": member
            for name, block in self._blocks.items()
            for port, member in block.signature.members.items() if port != "bus"
        }
        members["bus"] = Out(Axi4Signature(spec.address_bits, spec.data_bits, id_bits))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        for kind, share in self._shares.items():
            m.submodules[f"{kind}_share"] = share
            self._join(m, self.bus, share.bus)
        for name, block in self._blocks.items():
            m.submodules[name] = block
            wiring.connect(m, block.bus, self._shares[name[:-1]].clients[int(name[-1])])
            for port, member in block.signature.members.items():
                if port == "bus":
                    continue
                outer, inner = getattr(self, f"{name}_{port}"), getattr(block, port)
                if not member.is_port:
                    wiring.connect(m, wiring.flipped(outer), inner)
                elif member.flow is In:
                    m.d.comb += inner.eq(outer)
                else:
                    m.d.comb += outer.eq(inner)
        return m

    @staticmethod
    def _join(m, whole, part):
        """Connect the read or the write channels of a whole port."""
        for name, member in part.signature.members.items():
            outer, inner = getattr(whole, name), getattr(part, name)
            m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
