"""Bus drivers for cocotb benches."""

from cocotb.triggers import RisingEdge

from ..plan import REGISTERS

__all__ = ["AxiLiteMaster"]


class AxiLiteMaster:
    """Reads and writes registers over AXI4-Lite, one access at a time.

    Parameters
    ----------
    dut : object with signals ``<prefix>_awaddr`` and so on.
    clock : its clock.
    prefix : prefix of the signals' names.
    limit : cycles an access may take.
    """

    def __init__(self, dut, clock, prefix: str = "s_axi", limit: int = 1000):
        self._dut, self._clock, self._prefix, self._limit = dut, clock, prefix, limit
        for name in ("awvalid", "wvalid", "bready", "arvalid", "rready", "awaddr", "araddr"):
            self._signal(name).value = 0
        self._signal("wdata").value = 0
        self._signal("wstrb").value = 0

    def _signal(self, name: str):
        return self._dut[f"{self._prefix}_{name}"]

    def _high(self, name: str) -> bool:
        return self._signal(name).value == 1

    async def write(self, offset: int, value: int) -> int:
        """Write 32 bits at a byte ``offset``; returns the response code.

        Raises
        ------
        TimeoutError if the slave does not answer.
        """
        self._signal("awaddr").value = offset
        self._signal("wdata").value = value
        self._signal("wstrb").value = 0xF
        for name in ("awvalid", "wvalid", "bready"):
            self._signal(name).value = 1
        waiting = {"aw", "w"}
        for _ in range(self._limit):
            await RisingEdge(self._clock)
            answered = self._high("bvalid")
            for channel in sorted(waiting):
                if self._high(f"{channel}ready"):
                    self._signal(f"{channel}valid").value = 0
                    waiting.remove(channel)
            if answered and not waiting:
                self._signal("bready").value = 0
                return self._signal("bresp").value.to_unsigned()
        raise TimeoutError(f"No answer to a write at 0x{offset:02x} within {self._limit} cycles")

    async def read(self, offset: int) -> int:
        """Read 32 bits at a byte ``offset``.

        Raises
        ------
        TimeoutError if the slave does not answer.
        """
        self._signal("araddr").value = offset
        self._signal("arvalid").value = 1
        self._signal("rready").value = 1
        accepted = False
        for _ in range(self._limit):
            await RisingEdge(self._clock)
            answered = self._high("rvalid")
            if not accepted and self._high("arready"):
                self._signal("arvalid").value = 0
                accepted = True
            if answered and accepted:
                self._signal("rready").value = 0
                return self._signal("rdata").value.to_unsigned()
        raise TimeoutError(f"No answer to a read at 0x{offset:02x} within {self._limit} cycles")

    async def write_register(self, name: str, value: int) -> int:
        """:meth:`write` to a register by name."""
        return await self.write(REGISTERS[name].offset, value)

    async def read_register(self, name: str) -> int:
        """:meth:`read` of a register by name."""
        return await self.read(REGISTERS[name].offset)
