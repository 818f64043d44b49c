#include "bench.h"

#include "Vtop.h"
#include "verilated.h"

namespace fxhw {

Bench::Bench(uint64_t base, uint64_t size, uint64_t seed)
    : memory(base, size),
      axi(memory, problems, kBeatBytes),
      context_(new VerilatedContext),
      wishbone_(memory, problems, axi.timing, axi.counts, kBeatBytes),
      random_(seed) {
  // What is never written starts random, so that a result cannot rest on a lucky zero.
  const std::string number = "+verilator+seed+" + std::to_string(seed % 0x7ffffffe + 1);
  const char *arguments[] = {"bench", "+verilator+rand+reset+2", number.c_str()};
  context_->commandArgs(3, arguments);
  top_.reset(new Vtop(context_.get(), "top"));
  reseed(seed);
  set_clock(false);
  reset(8);
}

Bench::~Bench() { top_->final(); }

void Bench::reseed(uint64_t seed) {
  random_.reseed(seed);
  axi.reseed(seed + 1);
  wishbone_.reseed(seed + 1);
}

void Bench::reset(uint64_t cycles) {
  set_reset(held_ = true);
  release_registers();
  out_.clear();
  in_.clear();
  expected_ = 0;
  slave_ = SlavePins();
  answer_ = WishboneAnswer();
  drive_memory();
  drive_streams();
  top_->eval();
  run(cycles);
  set_reset(held_ = false);
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
  if (tracks.on) record();
  in_reset_ = held_ ? in_reset_ + 1 : 0;
  step_memory();
  step_streams();
  set_clock(true);
  top_->eval();
  drive_memory();
  drive_streams();
  set_clock(false);
  top_->eval();
  ++cycle_;
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
  if (held_) return;
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
  offers_ = !held_ && !out_.empty() && (offers_ || !random_.chance(pause));
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
