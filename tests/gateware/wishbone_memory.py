"""A memory behind a Wishbone bus in Amaranth's simulator, which checks what it is asked.

    memory = WishboneMemory(spec, size=1 << 16, pause=0.3, seed=1)
    run_stream(reader, ..., background=[memory.serve(master.bus)])
"""

import random

from fxhw.gateware.wishbone import CycleType

__all__ = ["WishboneMemory"]


class WishboneMemory:
    """Random bytes, at byte address 0.

    Parameters
    ----------
    spec : the bus; its beats are words.
    size : bytes.
    pause : chance in each cycle that what is wanted is not answered.
    fail : byte addresses of words that are answered with an error.
    seed : of the contents and the pauses.

    Attributes
    ----------
    bytes : the contents.
    bursts : (write, byte address of the first word, words answered) of every bus cycle.
    busy : cycles with a beat.
    """

    def __init__(self, spec, size, *, pause=0.0, fail=(), seed=0):
        self.spec, self.pause, self.fail = spec, pause, set(fail)
        self.rng = random.Random(seed)
        self.bytes = bytearray(self.rng.randbytes(size))
        self.bursts = []
        self.busy = 0

    def word(self, address):
        """The word at byte ``address``."""
        return int.from_bytes(self.bytes[address : address + self.spec.bus_bytes], "little")

    def serve(self, bus):
        """A testbench that answers for ever.

        It acknowledges now and then although nothing is wanted: a slave with a registered answer
        does so when the master pauses.
        """

        async def serve(ctx):
            waiting = expected = None
            while True:
                cyc, stb, we = (ctx.get(port) for port in (bus.cyc, bus.stb, bus.we))
                adr, cti, bte = (ctx.get(port) for port in (bus.adr, bus.cti, bus.bte))
                sel, dat_w = ctx.get(bus.sel), ctx.get(bus.dat_w)
                beat = (adr, we, sel, cti, bte, dat_w if we else None) if stb else None
                assert cyc or not stb, "STB without CYC"
                assert waiting in (None, beat), f"{waiting} became {beat}"
                if expected:
                    assert cyc, "a burst was left"
                    assert not stb or (we, adr) == expected, f"{we, adr} follows {expected}"
                answer = self.rng.random() >= self.pause
                fails = stb and adr * self.spec.bus_bytes in self.fail
                ctx.set(bus.ack, answer and not fails)
                ctx.set(bus.err, answer and fails)
                ctx.set(bus.dat_r, self.rng.getrandbits(8 * self.spec.bus_bytes))
                waiting = None if answer else beat
                ended = not cyc
                if stb and answer:
                    assert bte == 0
                    assert cti in (CycleType.INCREMENTING, CycleType.END)
                    self._move(ctx, bus, we, adr * self.spec.bus_bytes, sel, dat_w, fails,
                               first=expected is None)
                    ended = fails or cti == CycleType.END
                    expected = None if ended else (we, adr + 1)
                await ctx.tick()
                assert not (stb and answer and ended and ctx.get(bus.cyc)), "no pause behind it"

        return serve

    def _move(self, ctx, bus, we, address, sel, dat_w, fails, *, first):
        """One beat."""
        self.busy += 1
        if first:
            self.bursts.append([we, address, 0])
        self.bursts[-1][2] += 1
        if not we:
            assert sel == (1 << self.spec.bus_bytes) - 1
            if not fails:
                ctx.set(bus.dat_r, self.word(address))
            return
        for lane in range(self.spec.bus_bytes):
            if sel >> lane & 1 and not fails:
                self.bytes[address + lane] = dat_w >> (8 * lane) & 0xFF
