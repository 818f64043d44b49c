#include "axi_memory.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace fxhw {

namespace {

std::string hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace

void AxiMemory::step(uint64_t cycle, const MasterPins &master, SlavePins &slave) {
  check(cycle, master, slave);
  const SlavePins before = slave;
  take_requests(cycle, master, before);
  take_data(cycle, master, before);
  give_answers(cycle, master, slave);
  drive_ready(slave);
  drive_response(cycle, slave);
  // With shared bandwidth, a written beat takes the place of a read one.
  if (!(timing.shared && master.wvalid && before.wready)) drive_read(cycle, slave);
}

void AxiMemory::reset(uint64_t cycle, const MasterPins &master, SlavePins &slave, bool quiet) {
  if (quiet && (master.aw.valid || master.wvalid || master.ar.valid))
    problems_.tell(cycle, "the master shows valid during reset");
  slave = SlavePins();
  reads_.clear();
  writes_.clear();
  open_read_ = -1;
  wanted_beats_ = 0;
  aw_waits_ = w_waits_ = ar_waits_ = false;
}

// ---- Requests --------------------------------------------------------------------------------

void AxiMemory::take_requests(uint64_t cycle, const MasterPins &master, const SlavePins &slave) {
  if ((master.ar.valid || master.aw.valid) && counts.first_request == 0)
    counts.first_request = cycle;
  if (master.ar.valid && slave.arready) {
    check_burst(cycle, "AR", master.ar);
    Burst burst = accept(cycle, master.ar, false);
    if (burst.early)
      for (unsigned i = 0; i < burst.beats; ++i) burst.data[i] = sample(cycle, burst, i);
    reads_.push_back(std::move(burst));
    ++counts.read_bursts;
  }
  if (master.aw.valid && slave.awready) {
    check_burst(cycle, "AW", master.aw);
    writes_.push_back(accept(cycle, master.aw, true));
    wanted_beats_ += writes_.back().beats;
    ++counts.write_bursts;
  }
}

AxiMemory::Burst AxiMemory::accept(uint64_t cycle, const AddressPins &pins, bool write) {
  Burst burst;
  burst.id = pins.id;
  burst.addr = pins.addr;
  burst.beats = pins.len + 1;
  burst.size = pins.size;
  while ((1u << burst.size) > bytes_) --burst.size;  // reported already
  // A read may see memory as it is when accepted or when answered, and a write may land before its
  // response or only with it; a master that depends on either is wrong.
  burst.early = random_.chance(128);
  burst.due = write ? 0 : cycle + std::max<uint64_t>(1, timing.read_latency) - 1;
  burst.data.resize(burst.beats);
  return burst;
}

uint64_t AxiMemory::address_of(const Burst &burst, unsigned beat) const {
  const uint64_t step = uint64_t(1) << burst.size;
  return beat == 0 ? burst.addr : (burst.addr & ~(step - 1)) + beat * step;
}

uint64_t AxiMemory::end_of(const Burst &burst, uint64_t address) const {
  return (address | ((uint64_t(1) << burst.size) - 1)) + 1;
}

AxiMemory::Beat AxiMemory::sample(uint64_t cycle, const Burst &burst, unsigned beat) {
  Beat result;
  const uint64_t first = address_of(burst, beat), end = end_of(burst, first);
  result.sampled = true;
  result.address = first;
  result.response = memory_.respond(false, first, end);
  touch(cycle, "read", first, end);
  for (uint64_t address = first; address < end; ++address) {
    const bool there = memory_.holds(address, 1) && result.response == kOkay;
    result.data[address % bytes_] = there ? *memory_.at(address) : uint8_t(random_.next());
  }
  return result;
}

// ---- Write data ------------------------------------------------------------------------------

void AxiMemory::take_data(uint64_t cycle, const MasterPins &master, const SlavePins &slave) {
  if (!(master.wvalid && slave.wready)) return;
  const auto burst = std::find_if(writes_.begin(), writes_.end(),
                                  [](const Burst &b) { return b.next < b.beats; });
  if (burst == writes_.end()) return;  // never: wready is low then
  const uint64_t first = address_of(*burst, burst->next), end = end_of(*burst, first);
  Beat &beat = burst->data[burst->next];
  beat.data = master.wdata;
  beat.address = first;
  uint32_t lanes = 0;
  for (uint64_t address = first; address < end; ++address) lanes |= 1u << (address % bytes_);
  if (master.wstrb & ~lanes)
    problems_.tell(cycle, "WSTRB " + hex(master.wstrb) + " names lanes outside the beat at " +
                              hex(first));
  beat.strobe = master.wstrb & lanes;
  for (unsigned lane = 0; lane < bytes_; ++lane) {
    if (!(beat.strobe >> lane & 1)) continue;
    const uint64_t address = first - first % bytes_ + lane;
    touch(cycle, "written", address, address + 1);
    ++counts.write_bytes;
  }
  beat.response = memory_.respond(true, first, end);
  burst->response = std::max(burst->response, beat.response);
  if (burst->early) land(beat);
  ++burst->next;
  --wanted_beats_;
  ++counts.write_beats;
  const bool last = burst->next == burst->beats;
  if (master.wlast != last)
    problems_.tell(cycle, std::string(last ? "WLAST is missing at" : "WLAST comes at") + " beat " +
                              std::to_string(burst->next) + " of " + std::to_string(burst->beats));
  if (last) {
    burst->complete = true;
    burst->due = cycle + std::max<uint64_t>(1, timing.write_latency) - 1;
  }
}

void AxiMemory::land(const Beat &beat) {
  if (beat.response != kOkay) return;
  const uint64_t row = beat.address - beat.address % bytes_;
  for (unsigned lane = 0; lane < bytes_; ++lane)
    if (beat.strobe >> lane & 1 && memory_.holds(row + lane, 1))
      *memory_.at(row + lane) = beat.data[lane];
}

// ---- Answers ---------------------------------------------------------------------------------

void AxiMemory::give_answers(uint64_t cycle, const MasterPins &master, SlavePins &slave) {
  if (slave.rvalid && master.rready) {
    ++counts.read_beats;
    slave.rvalid = false;
  }
  if (slave.bvalid && master.bready) {
    counts.last_write = cycle;
    slave.bvalid = false;
  }
}

int AxiMemory::pick(const std::deque<Burst> &bursts, uint64_t cycle, bool whole) {
  if (bursts.empty()) return -1;
  if (!timing.reorder)
    return bursts[0].due <= cycle && (!whole || bursts[0].complete) ? 0 : -1;
  std::set<uint32_t> seen;
  std::vector<int> ready;
  for (size_t i = 0; i < bursts.size(); ++i) {
    const Burst &burst = bursts[i];
    if (!seen.insert(burst.id).second) continue;  // those of one ID stay in order
    if (burst.due <= cycle && (!whole || burst.complete)) ready.push_back(int(i));
  }
  return ready.empty() ? -1 : ready[random_.below(unsigned(ready.size()))];
}

void AxiMemory::drive_read(uint64_t cycle, SlavePins &slave) {
  if (slave.rvalid || reads_.empty()) return;
  if (timing.pause && random_.chance(unsigned(timing.pause))) return;
  if (open_read_ < 0) open_read_ = pick(reads_, cycle, false);
  if (open_read_ < 0) return;
  Burst &burst = reads_[size_t(open_read_)];
  Beat &beat = burst.data[burst.next];
  if (!beat.sampled) beat = sample(cycle, burst, burst.next);
  counts.read_bytes += end_of(burst, beat.address) - beat.address;
  slave.rvalid = true;
  slave.rid = burst.id;
  slave.rdata = beat.data;
  slave.rresp = beat.response;
  slave.rlast = ++burst.next == burst.beats;
  if (slave.rlast) reads_.erase(reads_.begin() + open_read_);
  if (slave.rlast || timing.reorder > 1) open_read_ = -1;
}

void AxiMemory::drive_response(uint64_t cycle, SlavePins &slave) {
  if (slave.bvalid || writes_.empty()) return;
  if (timing.pause && random_.chance(unsigned(timing.pause))) return;
  const int index = pick(writes_, cycle, true);
  if (index < 0) return;
  const Burst &burst = writes_[size_t(index)];
  if (!burst.early)
    for (const Beat &beat : burst.data) land(beat);
  slave.bvalid = true;
  slave.bid = burst.id;
  slave.bresp = burst.response;
  writes_.erase(writes_.begin() + index);
}

void AxiMemory::drive_ready(SlavePins &slave) {
  const unsigned pause = unsigned(timing.pause);
  slave.arready = reads_.size() < timing.outstanding && !random_.chance(pause);
  slave.awready = writes_.size() < timing.outstanding && !random_.chance(pause);
  slave.wready = wanted_beats_ > 0 && !random_.chance(pause);
}

// ---- Checks ----------------------------------------------------------------------------------

void AxiMemory::touch(uint64_t cycle, const char *how, uint64_t first, uint64_t end) {
  if (!memory_.guarded(first, end)) return;
  ++counts.guard_touches;
  problems_.tell(cycle, "guarded address " + hex(first) + " was " + how);
}

void AxiMemory::check(uint64_t cycle, const MasterPins &master, const SlavePins &slave) {
  if (aw_waits_ && !(master.aw.valid && master.aw.same(before_.aw)))
    problems_.tell(cycle, "AW changed before it was accepted");
  if (ar_waits_ && !(master.ar.valid && master.ar.same(before_.ar)))
    problems_.tell(cycle, "AR changed before it was accepted");
  if (w_waits_ && !(master.wvalid && master.wlast == before_.wlast &&
                    master.wstrb == before_.wstrb && master.wdata == before_.wdata))
    problems_.tell(cycle, "W changed before it was accepted");
  aw_waits_ = master.aw.valid && !slave.awready;
  ar_waits_ = master.ar.valid && !slave.arready;
  w_waits_ = master.wvalid && !slave.wready;
  before_ = master;
}

void AxiMemory::check_burst(uint64_t cycle, const char *channel, const AddressPins &pins) {
  const std::string what = std::string(channel) + " at " + hex(pins.addr);
  const uint64_t step = uint64_t(1) << pins.size;
  if (pins.burst != 1) problems_.tell(cycle, what + " is not an incrementing burst");
  if (step > bytes_)
    problems_.tell(cycle, what + " asks for " + std::to_string(step) + " bytes per beat");
  const uint64_t last = (pins.addr & ~(step - 1)) + (pins.len + 1) * step - 1;
  if (pins.addr >> 12 != last >> 12)
    problems_.tell(cycle, what + ", " + std::to_string(pins.len + 1) + " beats, crosses 4 KiB");
}

}  // namespace fxhw
