// The bench's AXI pins: clock and reset, registers, memory.
#include "bench.h"

#ifndef FXHW_WISHBONE

#include <cstring>

#include "Vtop.h"

namespace fxhw {

void Bench::set_clock(bool high) { top_->aclk = high; }
void Bench::set_reset(bool held) { top_->aresetn = !held; }

// ---- Registers -------------------------------------------------------------------------------

void Bench::release_registers() {
  top_->s_axi_awvalid = top_->s_axi_wvalid = top_->s_axi_arvalid = 0;
  top_->s_axi_awaddr = top_->s_axi_araddr = 0;
  top_->s_axi_awprot = top_->s_axi_arprot = 0;
  top_->s_axi_bready = top_->s_axi_rready = 0;
}

unsigned Bench::write32(uint32_t offset, uint32_t value) {
  top_->s_axi_awaddr = offset;
  top_->s_axi_wdata = value;
  top_->s_axi_wstrb = 0xf;
  top_->s_axi_awvalid = top_->s_axi_wvalid = top_->s_axi_bready = 1;
  top_->eval();
  unsigned response = kNoAnswer;
  for (uint64_t i = 0; i < kAnswerLimit; ++i) {
    const bool aw = top_->s_axi_awready, w = top_->s_axi_wready, b = top_->s_axi_bvalid;
    const unsigned answer = top_->s_axi_bresp;
    tick();
    if (aw) top_->s_axi_awvalid = 0;
    if (w) top_->s_axi_wvalid = 0;
    top_->eval();
    if (b) {
      response = answer;
      break;
    }
  }
  top_->s_axi_awvalid = top_->s_axi_wvalid = top_->s_axi_bready = 0;
  top_->eval();
  return response;
}

unsigned Bench::read32(uint32_t offset, uint32_t &value) {
  top_->s_axi_araddr = offset;
  top_->s_axi_arvalid = top_->s_axi_rready = 1;
  top_->eval();
  unsigned response = kNoAnswer;
  value = 0;
  for (uint64_t i = 0; i < kAnswerLimit; ++i) {
    const bool ar = top_->s_axi_arready, r = top_->s_axi_rvalid;
    const unsigned answer = top_->s_axi_rresp;
    const uint32_t data = top_->s_axi_rdata;
    tick();
    if (ar) top_->s_axi_arvalid = 0;
    top_->eval();
    if (r) {
      response = answer;
      value = data;
      break;
    }
  }
  top_->s_axi_arvalid = top_->s_axi_rready = 0;
  top_->eval();
  return response;
}

// ---- Memory ----------------------------------------------------------------------------------

#ifdef FXHW_MEMORY_BYTES

void Bench::step_memory() {
  const Vtop &t = *top_;
  MasterPins pins;
  pins.aw = {uint32_t(t.m_axi_awid),    uint64_t(t.m_axi_awaddr), uint32_t(t.m_axi_awlen),
             uint32_t(t.m_axi_awsize),  uint32_t(t.m_axi_awburst), uint32_t(t.m_axi_awcache),
             uint32_t(t.m_axi_awprot),  t.m_axi_awvalid != 0};
  pins.ar = {uint32_t(t.m_axi_arid),    uint64_t(t.m_axi_araddr), uint32_t(t.m_axi_arlen),
             uint32_t(t.m_axi_arsize),  uint32_t(t.m_axi_arburst), uint32_t(t.m_axi_arcache),
             uint32_t(t.m_axi_arprot),  t.m_axi_arvalid != 0};
  std::memcpy(pins.wdata.data(), &t.m_axi_wdata, kBeatBytes);  // words of the host, lowest first
  pins.wstrb = uint32_t(t.m_axi_wstrb);
  pins.wlast = t.m_axi_wlast;
  pins.wvalid = t.m_axi_wvalid;
  pins.bready = t.m_axi_bready;
  pins.rready = t.m_axi_rready;
  if (held_)
    axi.reset(cycle_, pins, slave_, in_reset_ > kResetCycles);
  else
    axi.step(cycle_, pins, slave_);
}

void Bench::drive_memory() {
  const SlavePins &pins = slave_;
  Vtop &t = *top_;
  t.m_axi_awready = pins.awready;
  t.m_axi_wready = pins.wready;
  t.m_axi_bid = pins.bid;
  t.m_axi_bresp = pins.bresp;
  t.m_axi_bvalid = pins.bvalid;
  t.m_axi_arready = pins.arready;
  t.m_axi_rid = pins.rid;
  std::memcpy(&t.m_axi_rdata, pins.rdata.data(), kBeatBytes);
  t.m_axi_rresp = pins.rresp;
  t.m_axi_rlast = pins.rlast;
  t.m_axi_rvalid = pins.rvalid;
}

#else

void Bench::step_memory() {}
void Bench::drive_memory() {}

#endif

}  // namespace fxhw

#endif
