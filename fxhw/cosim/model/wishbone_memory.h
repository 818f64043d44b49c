// Wishbone B4 slave in front of the memory: latency, pauses, registered feedback, protocol checks.
#pragma once

#include <array>
#include <cstdint>

#include "axi_memory.h"
#include "memory.h"
#include "pauses.h"
#include "problems.h"

namespace fxhw {

// What the master drives; addresses count words of the bus's width.
struct WishbonePins {
  uint64_t adr = 0;
  std::array<uint8_t, kMaxBytes> dat_w{};
  uint32_t sel = 0, cti = 0, bte = 0;
  bool cyc = false, stb = false, we = false;
};

// What the memory drives.
struct WishboneAnswer {
  bool ack = false, err = false;
  std::array<uint8_t, kMaxBytes> dat_r{};
};

// It answers from registers: within a burst the next word is answered before it is asked for, if
// CTI promises it, and an answer may still stand in the cycle behind a burst.
class WishboneMemory {
 public:
  // `timing` and `counts` are those of the other model; only latencies and pauses mean anything.
  WishboneMemory(Memory &memory, Problems &problems, MemoryTiming &timing, MemoryCounts &counts,
                 unsigned bytes)
      : memory_(memory), problems_(problems), timing_(timing), counts_(counts), bytes_(bytes) {}

  // One clock edge: what was on the pins before it, and what the memory drives after it.
  void step(uint64_t cycle, const WishbonePins &master, WishboneAnswer &answer);
  // The same while reset is held; `quiet` once the master must not ask for anything.
  void reset(uint64_t cycle, const WishbonePins &master, WishboneAnswer &answer, bool quiet);

  void reseed(uint64_t seed) { random_.reseed(seed); }

 private:
  void check(uint64_t cycle, const WishbonePins &master);
  void begin(uint64_t cycle, const WishbonePins &master);
  void move(uint64_t cycle, const WishbonePins &master, const WishboneAnswer &answer);
  void offer(uint64_t cycle, WishboneAnswer &answer);
  void touch(uint64_t cycle, const char *how, uint64_t first, uint64_t end);

  Memory &memory_;
  Problems &problems_;
  MemoryTiming &timing_;
  MemoryCounts &counts_;
  unsigned bytes_;
  Random random_;
  bool open_ = false;      // a burst has begun and not ended
  bool write_ = false;     // it is one of writes
  uint64_t word_ = 0;      // the word it is at
  uint64_t due_ = 0;       // the cycle from which its first word may be answered
  bool decided_ = false;   // whether the response to that word is known
  unsigned response_ = 0;
  WishbonePins before_;    // to see whether what waits changed
  bool waits_ = false, ended_ = false;
};

}  // namespace fxhw
