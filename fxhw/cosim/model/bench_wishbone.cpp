// The bench's Wishbone pins: clock and reset, registers, memory.
#include "bench.h"

#ifdef FXHW_WISHBONE

#include <cstring>

#include "Vtop.h"

namespace fxhw {

void Bench::set_clock(bool high) { top_->clk = high; }
void Bench::set_reset(bool held) { top_->rst = held; }

// ---- Registers -------------------------------------------------------------------------------

void Bench::release_registers() {
  top_->s_wb_cyc = top_->s_wb_stb = top_->s_wb_we = 0;
  top_->s_wb_adr = top_->s_wb_sel = top_->s_wb_dat_w = 0;
}

// A classic cycle, up to its answer; 4 if there was none.
unsigned Bench::access(uint32_t offset, bool write, uint32_t &value) {
  Vtop &t = *top_;
  t.s_wb_cyc = t.s_wb_stb = 1;
  t.s_wb_we = write;
  t.s_wb_adr = offset / 4;
  t.s_wb_sel = 0xf;
  t.s_wb_dat_w = value;
  t.eval();
  unsigned response = kNoAnswer;
  for (uint64_t i = 0; i < kAnswerLimit && response == kNoAnswer; ++i) {
    const bool ack = t.s_wb_ack, err = t.s_wb_err;
    if (ack && err) problems.tell(cycle_, "ACK and ERR answer one register access");
    if (!write) value = t.s_wb_dat_r;
    tick();
    if (ack || err) response = err ? kSlaveError : kOkay;
  }
  release_registers();
  t.eval();
  return response;
}

unsigned Bench::write32(uint32_t offset, uint32_t value) { return access(offset, true, value); }

unsigned Bench::read32(uint32_t offset, uint32_t &value) {
  value = 0;
  return access(offset, false, value);
}

// ---- Memory ----------------------------------------------------------------------------------

void Bench::step_memory() {
  const Vtop &t = *top_;
  WishbonePins pins;
  pins.adr = t.m_wb_adr;
  std::memcpy(pins.dat_w.data(), &t.m_wb_dat_w, kBeatBytes);  // words of the host, lowest first
  pins.sel = uint32_t(t.m_wb_sel);
  pins.cti = t.m_wb_cti;
  pins.bte = t.m_wb_bte;
  pins.cyc = t.m_wb_cyc;
  pins.stb = t.m_wb_stb;
  pins.we = t.m_wb_we;
  if (held_)
    wishbone_.reset(cycle_, pins, answer_, in_reset_ > kResetCycles);
  else
    wishbone_.step(cycle_, pins, answer_);
}

void Bench::drive_memory() {
  Vtop &t = *top_;
  t.m_wb_ack = answer_.ack;
  t.m_wb_err = answer_.err;
  std::memcpy(&t.m_wb_dat_r, answer_.dat_r.data(), kBeatBytes);
}

}  // namespace fxhw

#endif
