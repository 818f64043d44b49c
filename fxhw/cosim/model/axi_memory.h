// AXI4 slave in front of the memory: latency, bandwidth, pauses, reordering, protocol checks.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "memory.h"
#include "pauses.h"
#include "problems.h"

namespace fxhw {

constexpr unsigned kMaxBytes = 32;  // of a beat

struct AddressPins {
  uint32_t id = 0;
  uint64_t addr = 0;
  uint32_t len = 0, size = 0, burst = 0, cache = 0, prot = 0;
  bool valid = false;
  bool same(const AddressPins &o) const {
    return id == o.id && addr == o.addr && len == o.len && size == o.size && burst == o.burst &&
           cache == o.cache && prot == o.prot;
  }
};

// What the master drives.
struct MasterPins {
  AddressPins aw, ar;
  std::array<uint8_t, kMaxBytes> wdata{};
  uint32_t wstrb = 0;
  bool wlast = false, wvalid = false, bready = false, rready = false;
};

// What the memory drives.
struct SlavePins {
  bool awready = false, wready = false, arready = false;
  bool bvalid = false, rvalid = false, rlast = false;
  uint32_t bid = 0, bresp = 0, rid = 0, rresp = 0;
  std::array<uint8_t, kMaxBytes> rdata{};
};

struct MemoryTiming {
  uint64_t read_latency = 40;   // cycles from an accepted AR to the first R
  uint64_t write_latency = 8;   // cycles from an accepted WLAST to B
  uint64_t outstanding = 8;     // bursts accepted and not answered, for each direction
  uint64_t pause = 0;           // of 256 cycles, in how many a channel pauses; each by itself
  uint64_t reorder = 0;         // 1: bursts of different IDs in any order; 2: their beats mixed too
  uint64_t shared = 0;          // 1: one beat per cycle for reads and writes together
};

struct MemoryCounts {
  uint64_t first_request = 0, last_write = 0;  // cycles; 0: none
  uint64_t read_bursts = 0, read_beats = 0, read_bytes = 0;
  uint64_t write_bursts = 0, write_beats = 0, write_bytes = 0;
  uint64_t guard_touches = 0;
};

class AxiMemory {
 public:
  AxiMemory(Memory &memory, Problems &problems, unsigned bytes)
      : memory_(memory), problems_(problems), bytes_(bytes) {}

  // One clock edge: what was on the pins before it, and what the memory drives after it.
  void step(uint64_t cycle, const MasterPins &master, SlavePins &slave);
  // The same while reset is held; `quiet` once the master must not ask for anything.
  void reset(uint64_t cycle, const MasterPins &master, SlavePins &slave, bool quiet);

  MemoryTiming timing;
  MemoryCounts counts;
  void reseed(uint64_t seed) { random_.reseed(seed); }

 private:
  struct Beat {
    std::array<uint8_t, kMaxBytes> data{};
    uint64_t address = 0;
    uint32_t strobe = 0;
    unsigned response = 0;
    bool sampled = false;
  };
  struct Burst {
    uint32_t id = 0;
    uint64_t addr = 0, due = 0;
    unsigned beats = 0, size = 0, response = 0;
    bool early = false;  // reads sample when accepted, writes land beat by beat
    bool complete = false;
    unsigned next = 0;
    std::vector<Beat> data;
  };

  void take_requests(uint64_t cycle, const MasterPins &master, const SlavePins &slave);
  void take_data(uint64_t cycle, const MasterPins &master, const SlavePins &slave);
  void give_answers(uint64_t cycle, const MasterPins &master, SlavePins &slave);
  void drive_read(uint64_t cycle, SlavePins &slave);
  void drive_response(uint64_t cycle, SlavePins &slave);
  void drive_ready(SlavePins &slave);

  Burst accept(uint64_t cycle, const AddressPins &pins, bool write);
  uint64_t address_of(const Burst &burst, unsigned beat) const;
  uint64_t end_of(const Burst &burst, uint64_t address) const;
  Beat sample(uint64_t cycle, const Burst &burst, unsigned beat);
  void land(const Beat &beat);
  void touch(uint64_t cycle, const char *how, uint64_t first, uint64_t end);
  void check(uint64_t cycle, const MasterPins &master, const SlavePins &slave);
  void check_burst(uint64_t cycle, const char *channel, const AddressPins &pins);
  // Index of the burst to answer next, or -1.
  int pick(const std::deque<Burst> &bursts, uint64_t cycle, bool whole);

  Memory &memory_;
  Problems &problems_;
  unsigned bytes_;
  Random random_;
  std::deque<Burst> reads_, writes_;
  int open_read_ = -1;          // the burst whose beats come now, unless they may mix
  uint64_t wanted_beats_ = 0;   // of accepted writes
  MasterPins before_;           // to see whether a waiting channel changed
  bool aw_waits_ = false, w_waits_ = false, ar_waits_ = false;
};

}  // namespace fxhw
