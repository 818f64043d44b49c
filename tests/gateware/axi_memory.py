"""A memory behind an AXI4 port in Amaranth's simulator, which checks what it is asked.

    memory = AxiMemory(spec, size=1 << 16, latency=40, gap=0.3, seed=1)
    run_stream(reader, ..., background=[memory.serve_reads(reader.bus)])
"""

import random
from collections import deque

from fxhw.plan.bursts import BOUNDARY

__all__ = ["AxiMemory"]


class AxiMemory:
    """Random bytes, answered in order, whatever the IDs.

    Parameters
    ----------
    spec : the bus.
    size : bytes.
    latency : cycles from an address to its first beat, or from the last word to its response.
    gap, stall : chance in each cycle that an answer, or a request, is held back.
    fail : addresses of beats (reads) or bursts (writes) that are answered with an error.
    most : reads taken at a time.
    seed : of the contents and the pauses.

    Attributes
    ----------
    reads, writes : (address, beats) of the bursts asked for, in order.
    readers, writers : their IDs; 0 where the port has none.
    lanes : of every word written, its address and strobes.
    at : cycle of every address, by channel.
    """

    def __init__(self, spec, size, *, latency=1, gap=0.0, stall=0.0, fail=(), most=1000, seed=0):
        self.most = most
        self.spec, self.latency, self.gap, self.stall, self.fail = spec, latency, gap, stall, fail
        self.rng = random.Random(seed)
        self.bytes = bytearray(self.rng.randbytes(size))
        self.reads, self.writes, self.lanes = [], [], []
        self.readers, self.writers = [], []
        self.at = {"ar": [], "aw": []}

    def word(self, address):
        """The beat at ``address``."""
        return int.from_bytes(self.bytes[address : address + self.spec.bus_bytes], "little")

    def check(self, bus, ctx, prefix):
        """One burst's (address, beats), lawful."""
        address, beats = ctx.get(getattr(bus, f"{prefix}addr")), 1
        beats += ctx.get(getattr(bus, f"{prefix}len"))
        covered = beats * self.spec.bus_bytes
        assert address % self.spec.bus_bytes == 0, f"0x{address:x} is no beat's address"
        assert address // BOUNDARY == (address + covered - 1) // BOUNDARY, (
            f"{beats} beats from 0x{address:x} on cross 4 KiB"
        )
        assert ctx.get(getattr(bus, f"{prefix}size")) == self.spec.lane_bits
        assert ctx.get(getattr(bus, f"{prefix}burst")) == 1
        return address, beats

    @staticmethod
    def asker(bus, ctx, prefix):
        """The ID of a request."""
        return ctx.get(getattr(bus, f"{prefix}id")) if hasattr(bus, f"{prefix}id") else 0

    @staticmethod
    def answer(bus, ctx, prefix, asker):
        """Give an answer its ID."""
        if hasattr(bus, f"{prefix}id"):
            ctx.set(getattr(bus, f"{prefix}id"), asker)

    def paused(self, chance):
        return self.rng.random() < chance

    def serve_reads(self, bus):
        """A testbench that answers reads for ever."""

        async def serve(ctx):
            queue = deque()  # [first cycle, beat's address, beats left, ID]
            cycle, offered, waiting = 0, False, None
            while True:
                ctx.set(bus.arready, len(queue) < self.most and not self.paused(self.stall))
                if not offered and queue and queue[0][0] <= cycle and not self.paused(self.gap):
                    _, address, left, reader = queue[0]
                    offered = True
                    self.answer(bus, ctx, "r", reader)
                    ctx.set(bus.rdata, self.word(address))
                    ctx.set(bus.rresp, 2 if address in self.fail else 0)
                    ctx.set(bus.rlast, left == 1)
                ctx.set(bus.rvalid, offered)
                request = self.check(bus, ctx, "ar") if ctx.get(bus.arvalid) else None
                assert waiting in (None, request), "a read's address did not wait"
                waiting = None if ctx.get(bus.arready) else request
                if request and not waiting:
                    self.reads.append(request)
                    self.readers.append(self.asker(bus, ctx, "ar"))
                    self.at["ar"].append(cycle)
                    queue.append([cycle + self.latency, *request, self.readers[-1]])
                taken = offered and ctx.get(bus.rready)
                await ctx.tick()
                cycle += 1
                if taken:
                    offered = False
                    queue[0][1] += self.spec.bus_bytes
                    queue[0][2] -= 1
                    if not queue[0][2]:
                        queue.popleft()

        return serve

    def serve_writes(self, bus):
        """A testbench that takes writes for ever."""

        async def serve(ctx):
            open_bursts, words, answers = deque(), deque(), deque()
            cycle, offered = 0, False
            waiting = {"aw": None, "w": None}
            while True:
                ctx.set(bus.awready, not self.paused(self.stall))
                ctx.set(bus.wready, not self.paused(self.stall))
                if not offered and answers and answers[0][0] <= cycle and not self.paused(self.gap):
                    offered = True
                    ctx.set(bus.bresp, answers[0][1])
                    self.answer(bus, ctx, "b", answers[0][2])
                ctx.set(bus.bvalid, offered)
                request = self.check(bus, ctx, "aw") if ctx.get(bus.awvalid) else None
                word = None
                if ctx.get(bus.wvalid):
                    word = ctx.get(bus.wdata), ctx.get(bus.wstrb), ctx.get(bus.wlast)
                for channel, payload, ready in (
                    ("aw", request, bus.awready), ("w", word, bus.wready),
                ):
                    assert waiting[channel] in (None, payload), f"{channel} did not wait"
                    waiting[channel] = None if ctx.get(ready) else payload
                if request and not waiting["aw"]:
                    self.writes.append(request)
                    self.at["aw"].append(cycle)
                    self.writers.append(self.asker(bus, ctx, "aw"))
                    open_bursts.append([*request, request[0] in self.fail, self.writers[-1]])
                if word and not waiting["w"]:
                    words.append(word)
                while words and open_bursts:
                    self._write(open_bursts, words.popleft(), answers, cycle)
                taken = offered and ctx.get(bus.bready)
                await ctx.tick()
                cycle += 1
                if taken:
                    offered = False
                    answers.popleft()

        return serve

    def _write(self, open_bursts, word, answers, cycle):
        data, strobes, last = word
        address, left, fails, writer = open_bursts[0]
        assert last == (left == 1), f"WLAST is {last} with {left} words to go"
        self.lanes.append((address, strobes))
        for lane in range(self.spec.bus_bytes):
            if strobes >> lane & 1:
                self.bytes[address + lane] = data >> (8 * lane) & 0xFF
        open_bursts[0][:2] = [address + self.spec.bus_bytes, left - 1]
        if last:
            open_bursts.popleft()
            answers.append((cycle + self.latency, 2 if fails else 0, writer))
