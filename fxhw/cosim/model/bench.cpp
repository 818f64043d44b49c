#include "bench.h"

#include <cstring>

#include "Vtop.h"
#include "verilated.h"

#ifdef FXHW_MEMORY_BYTES
constexpr unsigned kBeatBytes = FXHW_MEMORY_BYTES;
#else
constexpr unsigned kBeatBytes = 8;
#endif

namespace fxhw {

namespace {

constexpr uint64_t kAnswerLimit = 1000;  // cycles a register access may take
constexpr unsigned kNoAnswer = 4;
constexpr uint64_t kResetCycles = 2;  // until a synchronous reset has reached the pins

}  // namespace

Bench::Bench(uint64_t base, uint64_t size, uint64_t seed)
    : memory(base, size),
      axi(memory, problems, kBeatBytes),
      context_(new VerilatedContext),
      random_(seed) {
  // What is never written starts random, so that a result cannot rest on a lucky zero.
  const std::string number = "+verilator+seed+" + std::to_string(seed % 0x7ffffffe + 1);
  const char *arguments[] = {"bench", "+verilator+rand+reset+2", number.c_str()};
  context_->commandArgs(3, arguments);
  top_.reset(new Vtop(context_.get(), "top"));
  reseed(seed);
  top_->aclk = 0;
  top_->aresetn = 0;
  top_->s_axi_awvalid = 0;
  top_->s_axi_wvalid = 0;
  top_->s_axi_bready = 0;
  top_->s_axi_arvalid = 0;
  top_->s_axi_rready = 0;
  top_->s_axi_awaddr = 0;
  top_->s_axi_awprot = 0;
  top_->s_axi_wdata = 0;
  top_->s_axi_wstrb = 0;
  top_->s_axi_araddr = 0;
  top_->s_axi_arprot = 0;
  reset(8);
}

Bench::~Bench() { top_->final(); }

void Bench::reseed(uint64_t seed) {
  random_.reseed(seed);
  axi.reseed(seed + 1);
}

void Bench::reset(uint64_t cycles) {
  top_->aresetn = 0;
  top_->s_axi_awvalid = top_->s_axi_wvalid = top_->s_axi_arvalid = 0;
  out_.clear();
  in_.clear();
  expected_ = 0;
  drive(slave_ = SlavePins());
  drive_streams();
  top_->eval();
  run(cycles);
  top_->aresetn = 1;
  top_->eval();
  run(2);
}

void Bench::run(uint64_t cycles) {
  for (uint64_t i = 0; i < cycles; ++i) tick();
}

bool Bench::wait(uint64_t cycles) {
  for (uint64_t i = 0; i < cycles && !irq(); ++i) tick();
  return irq();
}

bool Bench::wait_step(uint64_t step, uint64_t cycles) {
  for (uint64_t i = 0; i < cycles && this->step() == step && !irq(); ++i) tick();
  return this->step() != step;
}

bool Bench::irq() const { return top_->irq != 0; }

unsigned Bench::step() const {
#ifdef FXHW_STEP
  return top_->trace_step;
#else
  return 0;
#endif
}

// One cycle.  Pins are read while the clock is low and everything has settled; what the bench
// drives changes after the rising edge, together with the falling one.
void Bench::tick() {
  MasterPins master;
  sample(master);
  if (tracks.on) record();
  SlavePins next = slave_;
  in_reset_ = top_->aresetn ? 0 : in_reset_ + 1;
  if (top_->aresetn)
    axi.step(cycle_, master, next);
  else
    axi.reset(cycle_, master, next, in_reset_ > kResetCycles);
  step_streams();
  top_->aclk = 1;
  top_->eval();
  drive(slave_ = next);
  drive_streams();
  top_->aclk = 0;
  top_->eval();
  ++cycle_;
}

// ---- Registers -------------------------------------------------------------------------------

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

// ---- Trace pins ------------------------------------------------------------------------------

void Bench::record() {
#ifdef FXHW_FRONT_BYTES
  const Vtop &t = *top_;
  const uint16_t step = t.trace_step, running = t.trace_running;
  const uint32_t state = uint32_t(running) << 16 | step;
  if (state != tracks.state) tracks.steps.number(cycle_).number(running).number(step);
  tracks.state = state;
  if (t.trace_front_valid)
    tracks.front.number(cycle_).number(step).bytes(&t.trace_front_data, FXHW_FRONT_BYTES);
  if (t.trace_out_valid)
    tracks.out.number(cycle_).number(step).bytes(&t.trace_out_data, FXHW_OUT_BYTES);
#ifdef FXHW_WRITE_BYTES
  if (t.trace_write_valid)
    tracks.write.number(cycle_).number(step).number(uint32_t(t.trace_write_address))
        .bytes(&t.trace_write_data, FXHW_WRITE_BYTES);
#endif
#endif
}

// ---- Memory pins -----------------------------------------------------------------------------

#ifdef FXHW_MEMORY_BYTES

void Bench::sample(MasterPins &pins) const {
  const Vtop &t = *top_;
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
}

void Bench::drive(const SlavePins &pins) {
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

void Bench::sample(MasterPins &) const {}
void Bench::drive(const SlavePins &) {}

#endif

// ---- Stream pins -----------------------------------------------------------------------------

void Bench::send(const uint8_t *data, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) out_.push_back({data[i], i + 1 == count});
}

void Bench::drop() {
  out_.clear();
  offers_ = false;
  drive_streams();
}

void Bench::expect(uint64_t count) {
  expected_ = count;
  in_.clear();
}

std::vector<uint8_t> Bench::take() {
  std::vector<uint8_t> taken;
  taken.swap(in_);
  return taken;
}

#ifdef FXHW_STREAMS

void Bench::step_streams() {
  if (!top_->aresetn) return;
  if (offers_ && top_->s_axis_tready) {
    out_.pop_front();
    offers_ = false;
  }
  if (takes_ && top_->m_axis_tvalid) {
    in_.push_back(top_->m_axis_tdata);
    if ((--expected_ == 0) != (top_->m_axis_tlast != 0))
      problems.tell(cycle_, "TLAST of the mask stands at another byte than the last expected");
  }
}

void Bench::drive_streams() {
  const unsigned pause = unsigned(stream_pause);
  offers_ = top_->aresetn && !out_.empty() && (offers_ || !random_.chance(pause));
  top_->s_axis_tvalid = offers_;
  top_->s_axis_tdata = offers_ ? out_.front().data : uint8_t(random_.next());
  top_->s_axis_tlast = offers_ && out_.front().last;
  takes_ = expected_ != 0 && !random_.chance(pause);
  top_->m_axis_tready = takes_;
}

#else

void Bench::step_streams() {}
void Bench::drive_streams() {}

#endif

}  // namespace fxhw
