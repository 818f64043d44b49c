// A generated accelerator in Verilator, with all that its pins need around it.
//
// The builder defines FXHW_MEMORY_BYTES (bytes of a beat) if the top has m_axi or m_wb pins,
// FXHW_WISHBONE if these and the registers are Wishbone, FXHW_STREAMS if it has AXI4-Stream pins, FXHW_STEP if it tells its step; FXHW_FRONT_BYTES, FXHW_OUT_BYTES and
// FXHW_WRITE_BYTES (bytes of a word) if it shows those words.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "axi_memory.h"
#include "memory.h"
#include "pauses.h"
#include "problems.h"
#include "tracks.h"
#include "wishbone_memory.h"

class Vtop;
class VerilatedContext;

namespace fxhw {

#ifdef FXHW_MEMORY_BYTES
constexpr unsigned kBeatBytes = FXHW_MEMORY_BYTES;
#else
constexpr unsigned kBeatBytes = 8;
#endif
constexpr uint64_t kAnswerLimit = 1000;  // cycles a register access may take
constexpr unsigned kNoAnswer = 4;
constexpr uint64_t kResetCycles = 2;  // until a synchronous reset has reached the pins

class Bench {
 public:
  Bench(uint64_t base, uint64_t size, uint64_t seed);
  ~Bench();

  void reset(uint64_t cycles);
  void run(uint64_t cycles);
  // Runs until the interrupt is high, at most `cycles`; whether it is.
  bool wait(uint64_t cycles);
  // Runs until the running step is another one than `step`, or as wait; whether it is another.
  bool wait_step(uint64_t step, uint64_t cycles);

  // Register accesses; they take the cycles they take.  Both give AXI's response, or 4 if none came.
  unsigned write32(uint32_t offset, uint32_t value);
  unsigned read32(uint32_t offset, uint32_t &value);

  // AXI4-Stream: bytes to send from now on, TLAST with the last of them; bytes to take.
  void send(const uint8_t *data, uint64_t count);
  void expect(uint64_t count);
  void drop();
  std::vector<uint8_t> take();

  bool irq() const;
  uint64_t cycle() const { return cycle_; }
  unsigned step() const;
  uint64_t to_send() const { return out_.size(); }

  Problems problems;
  Memory memory;
  AxiMemory axi;
  Tracks tracks;
  uint64_t stream_pause = 0;  // of 256 cycles, in how many a stream pauses
  void reseed(uint64_t seed);

 private:
  void tick();
  // What differs by bus, in bench_axi.cpp and bench_wishbone.cpp.
  void set_clock(bool high);
  void set_reset(bool held);
  void release_registers();
#ifdef FXHW_WISHBONE
  unsigned access(uint32_t offset, bool write, uint32_t &value);
#endif
  void step_memory();  // from the pins, and for drive_memory
  void drive_memory();
  void step_streams();
  void drive_streams();
  void record();

  struct Byte {
    uint8_t data;
    bool last;
  };
  std::unique_ptr<VerilatedContext> context_;
  std::unique_ptr<Vtop> top_;
  SlavePins slave_;
  WishboneMemory wishbone_;
  WishboneAnswer answer_;
  Random random_;
  std::deque<Byte> out_;
  std::vector<uint8_t> in_;
  uint64_t expected_ = 0;
  bool offers_ = false, takes_ = false, held_ = true;
  uint64_t cycle_ = 0, in_reset_ = 0;
};

}  // namespace fxhw
