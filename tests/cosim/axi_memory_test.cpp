// Drives the memory model's pins by hand: correct traffic, then one breach of each rule.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>

#include "axi_memory.h"

using namespace fxhw;

struct Rig {
  Memory memory{0x1000, 0x4000};
  Problems problems;
  AxiMemory axi{memory, problems, 8};
  MasterPins master;
  SlavePins slave;
  uint64_t cycle = 0;

  void tick() { axi.step(cycle++, master, slave); }
  void request(AddressPins &pins, uint64_t addr, unsigned beats, unsigned size = 3, unsigned id = 0) {
    pins.valid = true;
    pins.id = id;
    pins.addr = addr;
    pins.len = beats - 1;
    pins.size = size;
    pins.burst = 1;
  }
  void accept(AddressPins &pins, const bool &ready) {
    for (bool taken = false; !taken;) {
      taken = ready;
      tick();
    }
    pins.valid = false;
  }
  void ask(uint64_t addr, unsigned beats, unsigned size = 3, unsigned id = 0) {
    request(master.ar, addr, beats, size, id);
    accept(master.ar, slave.arready);
  }
  void offer(uint64_t addr, unsigned beats, unsigned size = 3, unsigned id = 0) {
    request(master.aw, addr, beats, size, id);
    accept(master.aw, slave.awready);
  }
  void beat(uint64_t value, uint32_t strobe, bool last) {
    std::memcpy(master.wdata.data(), &value, 8);
    master.wstrb = strobe;
    master.wlast = last;
    master.wvalid = true;
    for (bool taken = false; !taken;) {
      taken = slave.wready;
      tick();
    }
    master.wvalid = false;
  }
  unsigned answer() {
    master.bready = true;
    while (!slave.bvalid) tick();
    const unsigned response = slave.bresp;
    tick();
    master.bready = false;
    return response;
  }
  uint64_t take(bool &last, unsigned &id, unsigned &response) {
    master.rready = true;
    while (!slave.rvalid) tick();
    uint64_t value;
    std::memcpy(&value, slave.rdata.data(), 8);
    last = slave.rlast;
    id = slave.rid;
    response = slave.rresp;
    tick();
    master.rready = false;
    return value;
  }
};

static void expect(bool good, const char *what) {
  if (good) return;
  std::printf("failed: %s\n", what);
  std::exit(1);
}

static void traffic() {
  Rig rig;
  rig.offer(0x1ff0, 2);
  rig.beat(0x1122334455667788u, 0xff, false);
  rig.beat(0xaabbccddeeff0011u, 0x0f, true);
  expect(rig.answer() == kOkay, "a write is answered OKAY");
  bool last;
  unsigned id, response;
  rig.ask(0x1ff0, 2, 3, 5);
  expect(rig.take(last, id, response) == 0x1122334455667788u && !last && id == 5, "first beat");
  expect(rig.take(last, id, response) == 0xeeff0011u && last, "strobes keep what was there");
  // A narrow burst that begins at an odd address: a byte, then two, on the lanes of their address.
  rig.offer(0x2003, 2, 1);
  rig.beat(0xab000000u, 0x08, false);
  rig.beat(0xcdef00000000u, 0x30, true);
  rig.answer();
  rig.ask(0x2000, 1);
  expect(rig.take(last, id, response) == 0xcdefab000000u, "narrow and unaligned beats");
  rig.ask(0x5000, 1);
  rig.take(last, id, response);
  expect(response == kDecodeError, "behind the memory is DECERR");
  expect(rig.problems.count() == 0, rig.problems.count() ? rig.problems.kept()[0].c_str() : "");
  expect(rig.axi.counts.read_beats == 4 && rig.axi.counts.write_bytes == 15, "counts");
}

// Reads after a write's answer always see it; before it, either.
static void ordering() {
  unsigned seen[2] = {0, 0};
  for (uint64_t seed = 1; seed < 60; ++seed) {
    Rig rig;
    rig.axi.reseed(seed);
    bool last;
    unsigned id, response;
    rig.offer(0x2000, 1);
    rig.beat(7, 0xff, true);
    rig.ask(0x2000, 1);
    const uint64_t early = rig.take(last, id, response);
    expect(early == 0 || early == 7, "an early read sees the old or the new");
    ++seen[early == 7];
    rig.answer();
    rig.ask(0x2000, 1);
    expect(rig.take(last, id, response) == 7, "a read after the answer sees the write");
  }
  expect(seen[0] && seen[1], "a read before the answer sees the old at times, the new at others");
}

static void reordering() {
  unsigned swapped = 0, mixed = 0;
  for (uint64_t seed = 1; seed < 40; ++seed) {
    Rig rig;
    rig.axi.reseed(seed);
    rig.axi.timing.reorder = 1 + seed % 2;
    for (unsigned i = 0; i < 256; ++i) *rig.memory.at(0x1000 + i) = uint8_t(i / 8);
    for (unsigned burst = 0; burst < 4; ++burst) rig.ask(0x1000 + 32 * burst, 4, 3, burst / 2);
    unsigned next[2] = {0, 8}, id, response, before = 9;
    for (unsigned beat = 0; beat < 16; ++beat) {
      bool last;
      const uint64_t value = rig.take(last, id, response) & 0xff;
      expect(value == next[id]++, "beats of one ID come in order");
      expect(last == (value % 4 == 3), "RLAST stands at a burst's end");
      const bool whole = rig.axi.timing.reorder == 1;
      if (whole && id == 1 && next[0] < 8) ++swapped;
      if (beat % 4 && id != before) {
        expect(!whole, "bursts stay whole unless beats may mix");
        ++mixed;
      }
      before = id;
    }
  }
  expect(swapped && mixed, "IDs change places, and their beats mix");
}

static void breach(const char *sentence, const std::function<void(Rig &)> &act) {
  Rig rig;
  act(rig);
  bool found = false;
  for (const std::string &told : rig.problems.kept())
    found |= told.find(sentence) != std::string::npos;
  expect(found, sentence);
}

int main() {
  traffic();
  ordering();
  reordering();
  breach("AR at 0x1ff8, 2 beats, crosses 4 KiB", [](Rig &r) { r.ask(0x1ff8, 2); });
  breach("AW at 0x1000 asks for 16 bytes per beat", [](Rig &r) { r.offer(0x1000, 1, 4); });
  breach("AR at 0x1000 is not an incrementing burst", [](Rig &r) {
    r.request(r.master.ar, 0x1000, 1);
    r.master.ar.burst = 2;
    r.accept(r.master.ar, r.slave.arready);
  });
  breach("WLAST comes at beat 1 of 2", [](Rig &r) {
    r.offer(0x1000, 2);
    r.beat(0, 0xff, true);
  });
  breach("WLAST is missing at beat 1 of 1", [](Rig &r) {
    r.offer(0x1000, 1);
    r.beat(0, 0xff, false);
  });
  breach("WSTRB 0xff names lanes outside the beat at 0x1004", [](Rig &r) {
    r.offer(0x1004, 1);
    r.beat(0, 0xff, true);
  });
  breach("AR changed before it was accepted", [](Rig &r) {
    r.request(r.master.ar, 0x1000, 1);
    r.tick();
    r.master.ar.addr += 8;
    r.tick();
  });
  breach("AW changed before it was accepted", [](Rig &r) {
    r.request(r.master.aw, 0x1000, 1);
    r.tick();
    r.master.aw.valid = false;
    r.tick();
  });
  breach("W changed before it was accepted", [](Rig &r) {
    r.master.wvalid = true;
    r.tick();
    r.master.wdata[3] ^= 1;
    r.tick();
  });
  breach("the master shows valid during reset", [](Rig &r) {
    r.master.wvalid = true;
    r.axi.reset(0, r.master, r.slave, true);
  });
  breach("guarded address 0x1008 was read", [](Rig &r) {
    r.memory.guards.push_back({0x1008, 0x1009});
    r.ask(0x1000, 2);
    for (int i = 0; i < 100; ++i) r.master.rready = true, r.tick();
  });
  std::printf("all well\n");
  return 0;
}
