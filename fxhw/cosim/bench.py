"""The cocotb side of the test bench: carries out the commands of each job.

Runs inside the simulator.  Reads ``jobs.json``, a list of jobs, each a list of commands (see
:mod:`fxhw.cosim.jobs`), and writes ``job<n>/result.json``, the list of what each command returned.
"""

import json
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from fxhw.cosim.drivers import AxiLiteMaster


class Bench:
    """Commands, one method each; arguments and results are JSON types."""

    def __init__(self, dut):
        self.dut = dut
        self.axi = AxiLiteMaster(dut, dut.aclk)
        for name in ("play", "job", "image_bytes", "last_byte", "seed", "waiting", "limit"):
            dut[name].value = 0
        dut.rate_in.value = 255
        dut.rate_out.value = 255
        dut.aresetn.value = 0

    async def reset(self):
        """Hold reset for some cycles."""
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 8)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.aclk, 2)

    async def write(self, register, value):
        """Write a register; returns the response code."""
        return await self.axi.write_register(register, value)

    async def read(self, register):
        """Value of a register."""
        return await self.axi.read_register(register)

    async def write_offset(self, offset, value):
        """Write at a byte offset; returns the response code."""
        return await self.axi.write(offset, value)

    async def read_offset(self, offset):
        """Value at a byte offset."""
        return await self.axi.read(offset)

    async def load(self, address, file):
        """Write the 32-bit words of a file (hex, one per line) from beat ``address`` on."""
        await self.axi.write_register("LOAD_ADDRESS", address)
        words = Path(file).read_text().split()
        for word in words:
            await self.axi.write_register("LOAD_DATA", int(word, 16))
        return len(words)

    async def play(self, job, image_bytes, last_byte, seed, rate_in, rate_out):
        """Begin to offer the image, take the mask and record."""
        await self.stop()
        for name, value in (
            ("job", job),
            ("image_bytes", image_bytes),
            ("last_byte", last_byte),
            ("seed", seed),
            ("rate_in", rate_in),
            ("rate_out", rate_out),
        ):
            self.dut[name].value = value
        await ClockCycles(self.dut.aclk, 2)  # the pauses take the seed while nothing plays
        self.dut.play.value = 1
        await RisingEdge(self.dut.aclk)

    async def stop(self):
        """End recording and close the files; returns bytes of image taken and of mask given."""
        counts = [
            value.to_unsigned() if value.is_resolvable else 0
            for value in (self.dut.taken_bytes.value, self.dut.mask_bytes.value)
        ]
        self.dut.play.value = 0
        await ClockCycles(self.dut.aclk, 2)
        return counts

    async def wait(self, limit):
        """Sleep until the interrupt, at most ``limit`` cycles; whether it came."""
        self.dut.limit.value = limit
        self.dut.waiting.value = 1
        await RisingEdge(self.dut.wake)
        await RisingEdge(self.dut.aclk)
        came = self.dut.timed_out.value == 0
        self.dut.waiting.value = 0
        await ClockCycles(self.dut.aclk, 2)
        return came

    async def idle(self, cycles):
        """Let time pass."""
        await ClockCycles(self.dut.aclk, cycles)


@cocotb.test()
async def run_jobs(dut):
    """Carry out all jobs in order."""
    jobs = json.loads(Path("jobs.json").read_text())
    bench = Bench(dut)
    Clock(dut.aclk, 10, unit="ns").start()
    await bench.reset()
    for number, commands in enumerate(jobs):
        results, folder = [], Path(f"job{number}")
        try:
            for name, arguments in commands:
                results.append(await getattr(bench, name)(**arguments))
        finally:
            await bench.stop()
            folder.mkdir(exist_ok=True)
            (folder / "result.json").write_text(json.dumps(results))
