"""The cocotb side of test_axi.py: two readers and two writers against cocotbext-axi's RAM.

The RAM is made less kind: it answers at random times, other IDs' bursts first, their beats
interleaved, with pauses on every channel, and with errors where it is told.
"""

import random
from collections import defaultdict, deque

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, gather
from cocotbext.axi import AxiBus, AxiResp
from cocotbext.axi.axi_ram import AxiRamRead, AxiRamWrite

from fxhw.plan.bursts import BurstSpec

SPEC = BurstSpec(8, 16)
SIZE = 1 << 15
READ_ONLY = SIZE // 2  # readers below, writers above


class Reads(AxiRamRead):
    """Answers the bursts of one ID in order, those of different IDs in any order, interleaved."""

    rng = random.Random(0)
    patience = 0  # longest latency of a burst, in cycles
    failing = {}  # beat's address -> response

    async def _process_read(self):
        waiting = defaultdict(deque)
        while True:
            while not self.ar_channel.empty() or not any(waiting.values()):
                ar = await self.ar_channel.recv()
                address, beats = int(ar.araddr), int(ar.arlen) + 1
                assert int(ar.arsize) == SPEC.lane_bits
                assert int(ar.arburst) == 1
                assert address // 4096 == (address + 8 * beats - 1) // 4096
                waiting[int(ar.arid)].append([address, beats])
                self.overtaken = max(self.overtaken, sum(map(bool, waiting.values())))
                if self.patience:
                    await ClockCycles(self.clock, 1 + self.rng.randrange(self.patience))
            chosen = self.rng.choice([n for n, bursts in waiting.items() if bursts])
            for _ in range(self.rng.choice([1, 2, 16])):
                burst = waiting[chosen][0]
                r = self.r_channel._transaction_obj()
                r.rid, r.rlast = chosen, burst[1] == 1
                r.rresp = self.failing.get(burst[0], AxiResp.OKAY)
                r.rdata = int.from_bytes(self.read(burst[0], 8), "little")
                await self.r_channel.send(r)
                burst[:] = burst[0] + 8, burst[1] - 1
                if not burst[1]:
                    waiting[chosen].popleft()
                    break

    overtaken = 0  # most IDs with bursts waiting at a time


class Writes(AxiRamWrite):
    """Answers different IDs in any order, each after a time of its own."""

    rng = random.Random(0)
    patience = 0
    failing = {}  # byte's address -> response; bytes there are not written

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._answers, self._failed = defaultdict(deque), None
        self._send, self.b_channel.send = self.b_channel.send, self._later
        cocotb.start_soon(self._answer())

    async def _write(self, address, data):
        for place in range(address, address + len(data)):
            self._failed = self.failing.get(place, self._failed)
        if self._failed is None:
            await super()._write(address, data)

    async def _later(self, b):
        if self._failed is not None:
            b.bresp, self._failed = self._failed, None
        self._answers[int(b.bid)].append(b)

    async def _answer(self):
        while True:
            await ClockCycles(self.clock, 1 + self.rng.randrange(self.patience + 1))
            ready = [answers for answers in self._answers.values() if answers]
            if ready:
                await self._send(self.rng.choice(ready).popleft())


class Bench:
    """The design, its memory, and what the memory should hold."""

    def __init__(self, dut, seed):
        self.dut = dut
        self.rng = random.Random(seed)

    async def start(self, busy, patience):
        """Reset; pause every channel in a share ``busy`` of all cycles."""
        dut = self.dut
        for name in ("reader0", "reader1", "writer0", "writer1"):
            for port in ("cancel", "clear", "commands__valid"):
                dut[f"{name}_{port}"].value = 0
        for n in range(2):
            dut[f"reader{n}_o__ready"].value = 0
            dut[f"writer{n}_i__valid"].value = 0
        dut.rst.value = 1
        Clock(dut.clk, 10, unit="ns").start()
        bus = AxiBus.from_prefix(dut, "bus_")
        self.reads = Reads(bus.read, dut.clk, dut.rst, size=SIZE)
        self.writes = Writes(bus.write, dut.clk, dut.rst, size=SIZE, mem=self.reads.mem)
        content = self.rng.randbytes(SIZE)
        self.reads.write(0, content)
        self.expected = bytearray(content)
        for side in (self.reads, self.writes):
            side.rng, side.patience, side.failing = self.rng, patience, {}
        channels = (
            self.reads.ar_channel, self.reads.r_channel, self.writes.aw_channel,
            self.writes.w_channel, self.writes.b_channel,
        )
        if busy:
            for n, channel in enumerate(channels):
                channel.set_pause_generator(self._pauses(busy, self.rng.random() + n))
        await ClockCycles(dut.clk, 5)
        dut.rst.value = 0
        await ClockCycles(dut.clk, 2)

    @staticmethod
    def _pauses(busy, seed):
        rng = random.Random(seed)
        while True:
            yield rng.random() < busy

    def high(self, name):
        return self.dut[name].value == 1

    async def push(self, port, words, idle=0.0, limit=20000):
        """Offer words until all are taken; how many were within ``limit`` cycles."""
        dut, taken = self.dut, 0
        for word in words:
            while self.rng.random() < idle:
                await RisingEdge(dut.clk)
            dut[f"{port}__payload"].value = word
            dut[f"{port}__valid"].value = 1
            for _ in range(limit):
                await RisingEdge(dut.clk)
                if self.high(f"{port}__ready"):
                    taken += 1
                    break
            else:
                dut[f"{port}__valid"].value = 0
                return taken
            dut[f"{port}__valid"].value = 0
        return taken

    async def take(self, reader, count, stall=0.0, limit=20000):
        """Beats of a reader: those of ``count``, or what comes within ``limit`` cycles."""
        dut, beats, ready = self.dut, [], False
        for _ in range(limit):
            await RisingEdge(dut.clk)
            if ready and self.high(f"{reader}_o__valid"):
                payload = dut[f"{reader}_o__payload"].value.to_unsigned()
                beats.append((payload & (1 << 64) - 1, payload >> 64))
            ready = len(beats) < count and self.rng.random() >= stall
            dut[f"{reader}_o__ready"].value = ready
            if len(beats) == count:
                break
        dut[f"{reader}_o__ready"].value = 0
        return beats

    async def until(self, name, limit=20000):
        for _ in range(limit):
            await RisingEdge(self.dut.clk)
            if self.high(name):
                return
        raise TimeoutError(f"{name} is still low after {limit} cycles")

    async def pulse(self, name):
        self.dut[name].value = 1
        await RisingEdge(self.dut.clk)
        self.dut[name].value = 0
        await RisingEdge(self.dut.clk)

    def read_commands(self, count, most=80):
        commands = []
        for _ in range(count):
            beats = self.rng.choice([1, 2, self.rng.randrange(1, most)])
            commands.append((8 * self.rng.randrange(READ_ONLY // 8 - beats), beats))
        return commands

    def beats_of(self, commands):
        return [
            (int.from_bytes(self.expected[a + 8 * n : a + 8 * n + 8], "little"), int(n == b - 1))
            for a, b in commands for n in range(b)
        ]

    async def read(self, reader, commands, pace):
        """Read, and compare."""
        packed = [address | beats << 32 for address, beats in commands]
        expected = self.beats_of(commands)
        pushed, beats = await gather(
            self.push(f"{reader}_commands", packed, pace),
            self.take(reader, len(expected), pace),
        )
        assert pushed == len(commands)
        assert beats == expected
        await self.until(f"{reader}_idle")

    def write_commands(self, writer, count, most=500):
        """Pieces of a writer's own 8 KiB, unaligned, with guards between them."""
        commands, base = [], READ_ONLY + int(writer[-1]) * SIZE // 4
        place = base
        for _ in range(count):
            size = self.rng.choice([1, 2, 7, 8, 9, self.rng.randrange(1, most)])
            place += self.rng.randrange(1, 30)
            if place + size > base + SIZE // 4:
                break
            commands.append((place, size))
            place += size
        return commands

    def words_of(self, commands):
        """Random words for commands; the expected contents are changed by them."""
        words = []
        for address, size in commands:
            for burst in SPEC.compute(address, size):
                for beat in range(burst.beats):
                    word = self.rng.randbytes(8)
                    words.append(int.from_bytes(word, "little"))
                    for lane in range(8):
                        if SPEC.strobes(burst, beat) >> lane & 1:
                            self.expected[burst.address + 8 * beat + lane] = word[lane]
        return words

    async def write(self, writer, commands, pace):
        packed = [address | size << 32 for address, size in commands]
        words = self.words_of(commands)
        pushed = await gather(
            self.push(f"{writer}_commands", packed, pace), self.push(f"{writer}_i", words, pace)
        )
        assert list(pushed) == [len(packed), len(words)]
        await self.until(f"{writer}_idle")

    def check_memory(self):
        """Every byte, the guards around what was written among them."""
        found = bytes(self.reads.read(0, SIZE))
        wrong = [n for n in range(SIZE) if found[n] != self.expected[n]]
        assert not wrong, f"{len(wrong)} bytes differ, the first at 0x{wrong[0]:x}"


@cocotb.test()
@cocotb.parametrize(busy=[0.0, 0.3, 0.7], pace=[0.0, 0.4], patience=[0, 60])
async def traffic(dut, busy, pace, patience):
    """All four at once, at any pace."""
    bench = Bench(dut, f"{busy} {pace} {patience}")
    await bench.start(busy, patience)
    await gather(
        *(bench.read(f"reader{n}", bench.read_commands(12), pace) for n in range(2)),
        *(
            bench.write(f"writer{n}", bench.write_commands(f"writer{n}", 12), pace)
            for n in range(2)
        ),
    )
    bench.check_memory()
    if patience:
        assert bench.reads.overtaken == 2


@cocotb.test()
async def words_before_their_address(dut):
    """A memory that takes no address before its first word, as AXI4 allows it to."""
    bench = Bench(dut, 3)
    await bench.start(0, 0)
    channel = bench.writes.aw_channel

    async def wait_for_words():
        while True:
            channel.pause = not bench.high("bus__wvalid")
            await RisingEdge(dut.clk)

    task = cocotb.start_soon(wait_for_words())
    for _ in range(3):
        await gather(
            *(bench.write(f"writer{n}", bench.write_commands(f"writer{n}", 5), 0) for n in (0, 1))
        )
    bench.check_memory()
    task.cancel()


@cocotb.test()
@cocotb.parametrize(response=[AxiResp.SLVERR, AxiResp.DECERR], beat=[0, 1, 15, 16, 70, 99])
async def failing_read(dut, response, beat):
    """The failing reader stops and starts again cleanly; the others do not notice."""
    bench = Bench(dut, beat)
    await bench.start(0.3, 20)
    address = 0x0F80
    bench.reads.failing = {address + 8 * beat: response}

    async def fail():
        _, beats = await gather(
            bench.push("reader0_commands", [address | 100 << 32]),
            bench.take("reader0", 100, 0.2, limit=1500),
        )
        assert len(beats) <= beat
        assert beats == bench.beats_of([(address, 100)])[: len(beats)]
        assert bench.high("reader0_fault")
        await bench.until("reader0_idle")
        assert await bench.push("reader0_commands", [0], limit=30) == 0
        bench.reads.failing = {}
        await bench.pulse("reader0_clear")
        assert not bench.high("reader0_fault")
        await bench.read("reader0", bench.read_commands(5), 0.2)

    other = [(a, b) for a, b in bench.read_commands(10) if not a <= address + 8 * beat < a + 8 * b]
    await gather(
        fail(), bench.read("reader1", other, 0.2),
        bench.write("writer0", bench.write_commands("writer0", 10), 0.2),
    )
    assert not bench.high("reader1_fault")
    bench.check_memory()


@cocotb.test()
@cocotb.parametrize(response=[AxiResp.SLVERR, AxiResp.DECERR], place=[0, 130, 700])
async def failing_write(dut, response, place):
    """The same for writers; nothing outside the failing command's bytes changes."""
    bench = Bench(dut, place)
    await bench.start(0.3, 20)
    address, size = READ_ONLY + 0x0FC3, 750
    bench.writes.failing = {address + place: response}

    async def fail():
        words = [bench.rng.getrandbits(64) for _ in range(-(-(address % 8 + size) // 8))]
        await gather(
            bench.push("writer0_commands", [address | size << 32]),
            bench.push("writer0_i", words, 0.2, limit=1500),
        )
        await bench.until("writer0_fault")
        await bench.until("writer0_idle")
        assert await bench.push("writer0_commands", [0], limit=30) == 0
        assert await bench.push("writer0_i", [0], limit=30) == 0
        bench.expected[address : address + size] = bench.reads.read(address, size)
        bench.writes.failing = {}
        await bench.pulse("writer0_clear")
        assert not bench.high("writer0_fault")
        await bench.write("writer0", bench.write_commands("writer0", 8), 0.2)

    await gather(
        fail(), bench.write("writer1", bench.write_commands("writer1", 10), 0.2),
        bench.read("reader0", bench.read_commands(6), 0.2),
    )
    assert not bench.high("writer1_fault")
    bench.check_memory()


@cocotb.test()
@cocotb.parametrize(when=[1, 20, 77, 150, 313])
async def cancelled(dut, when):
    """A reader and a writer are cancelled in mid-run; then both do their next work right."""
    bench = Bench(dut, when)
    await bench.start(0.4, 30)
    address, size = READ_ONLY + 0x0FC3, 1500

    async def cancel_reader():
        await gather(
            bench.push("reader0_commands", [0x1008 | 300 << 32]),
            bench.take("reader0", 300, 0.5, limit=when),
        )
        await bench.pulse("reader0_cancel")
        await bench.until("reader0_idle")
        await bench.read("reader0", bench.read_commands(5), 0.2)

    async def cancel_writer():
        words = [bench.rng.getrandbits(64) for _ in range(when)]
        await gather(
            bench.push("writer0_commands", [address | size << 32]),
            bench.push("writer0_i", words[:188]),
        )
        await bench.pulse("writer0_cancel")
        await bench.until("writer0_idle")
        bench.expected[address : address + size] = bench.reads.read(address, size)
        await bench.write("writer0", bench.write_commands("writer0", 8), 0.2)

    await gather(
        cancel_reader(), cancel_writer(), bench.read("reader1", bench.read_commands(6), 0.2),
        bench.write("writer1", bench.write_commands("writer1", 6), 0.2),
    )
    bench.check_memory()
