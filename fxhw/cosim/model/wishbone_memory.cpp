#include "wishbone_memory.h"

#include <algorithm>
#include <cstdio>
#include <string>

namespace fxhw {

namespace {

constexpr uint32_t kIncrementing = 2, kEnd = 7;  // CTI
constexpr unsigned kLinger = 128;  // of 256 bursts, behind how many an answer still stands

std::string hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace

void WishboneMemory::step(uint64_t cycle, const WishbonePins &master, WishboneAnswer &answer) {
  check(cycle, master);
  const bool wanted = master.cyc && master.stb;
  const bool moved = wanted && (answer.ack || answer.err);
  if (wanted && !open_) begin(cycle, master);
  if (moved) move(cycle, master, answer);
  before_ = master;
  waits_ = wanted && !moved;
  ended_ = moved && !open_;
  answer = WishboneAnswer();
  for (uint8_t &byte : answer.dat_r) byte = uint8_t(random_.next());
  if (open_)
    offer(cycle, answer);
  else
    answer.ack = ended_ && random_.chance(kLinger);
}

void WishboneMemory::reset(uint64_t cycle, const WishbonePins &master, WishboneAnswer &answer,
                           bool quiet) {
  if (quiet && master.cyc) problems_.tell(cycle, "the master shows CYC during reset");
  answer = WishboneAnswer();
  open_ = waits_ = ended_ = decided_ = false;
}

// ---- Bursts ----------------------------------------------------------------------------------

void WishboneMemory::begin(uint64_t cycle, const WishbonePins &master) {
  if (counts_.first_request == 0) counts_.first_request = cycle;
  open_ = true;
  write_ = master.we;
  word_ = master.adr;
  decided_ = false;
  const uint64_t latency = write_ ? timing_.write_latency : timing_.read_latency;
  due_ = cycle + std::max<uint64_t>(1, latency) - 1;
  ++(write_ ? counts_.write_bursts : counts_.read_bursts);
}

// A word that was answered goes over the bus.
void WishboneMemory::move(uint64_t cycle, const WishbonePins &master, const WishboneAnswer &answer) {
  const uint64_t first = word_ * bytes_;
  if (write_) {
    for (unsigned lane = 0; lane < bytes_; ++lane) {
      if (!(master.sel >> lane & 1)) continue;
      touch(cycle, "written", first + lane, first + lane + 1);
      ++counts_.write_bytes;
      if (answer.ack && memory_.holds(first + lane, 1)) *memory_.at(first + lane) = master.dat_w[lane];
    }
    ++counts_.write_beats;
    counts_.last_write = cycle;
  } else {
    touch(cycle, "read", first, first + bytes_);
    ++counts_.read_beats;
    counts_.read_bytes += bytes_;
  }
  decided_ = false;
  ++word_;
  open_ = answer.ack && master.cti == kIncrementing;
}

// Answers the word the burst is at, or will be at, or waits.
void WishboneMemory::offer(uint64_t cycle, WishboneAnswer &answer) {
  if (cycle < due_ || random_.chance(unsigned(timing_.pause))) return;
  const uint64_t first = word_ * bytes_;
  if (!decided_) response_ = memory_.respond(write_, first, first + bytes_);
  decided_ = true;
  answer.ack = response_ == kOkay;
  answer.err = !answer.ack;
  if (answer.ack && !write_) std::copy_n(memory_.at(first), bytes_, answer.dat_r.begin());
}

// ---- Checks ----------------------------------------------------------------------------------

void WishboneMemory::touch(uint64_t cycle, const char *how, uint64_t first, uint64_t end) {
  if (!memory_.guarded(first, end)) return;
  ++counts_.guard_touches;
  problems_.tell(cycle, "guarded address " + hex(first) + " was " + how);
}

void WishboneMemory::check(uint64_t cycle, const WishbonePins &master) {
  const std::string what = "word " + hex(master.adr);
  if (master.stb && !master.cyc) problems_.tell(cycle, "STB without CYC at " + what);
  if (waits_ && !(master.cyc && master.stb && master.adr == before_.adr &&
                  master.we == before_.we && master.sel == before_.sel &&
                  master.cti == before_.cti && master.bte == before_.bte &&
                  (!master.we || master.dat_w == before_.dat_w)))
    problems_.tell(cycle, "a beat changed before it was answered, at " + what);
  if (open_ && !master.cyc) problems_.tell(cycle, "CYC falls within a burst");
  if (ended_ && master.cyc) problems_.tell(cycle, "CYC stays up behind a burst");
  if (!(master.cyc && master.stb)) return;
  if (open_ && (master.adr != word_ || master.we != write_))
    problems_.tell(cycle, what + " does not follow in its burst, which is at " + hex(word_));
  if ((master.cti != kIncrementing && master.cti != kEnd) || master.bte != 0)
    problems_.tell(cycle, what + " is of no incrementing burst");
  if (!master.we && master.sel != uint32_t((uint64_t(1) << bytes_) - 1))
    problems_.tell(cycle, what + " is read in part");
}

}  // namespace fxhw
