#include "fxhw_bench.h"

#include <algorithm>
#include <new>
#include <vector>

#include "commands.h"

namespace {

// The bench and where the mask stream's bytes shall go.
struct Handle {
  Handle(uint64_t base, uint64_t size, uint64_t seed) : bench(base, size, seed) {}
  fxhw::Bench bench;
  uint8_t *mask = nullptr;
  size_t count = 0, taken = 0;
};

fxhw::Bench &bench_of(void *handle) { return static_cast<Handle *>(handle)->bench; }

constexpr uint64_t kIdleCycles = 100;      // between two polls
constexpr uint64_t kReceiveCycles = 100000;  // for the last bytes of a mask

}  // namespace

extern "C" {

void *fxhw_bench_open(uint64_t base, uint64_t size, uint64_t seed) {
  try {
    return new Handle(base, size, seed);
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
}

void fxhw_bench_close(void *bench) { delete static_cast<Handle *>(bench); }

uint32_t fxhw_bench_read32(void *bench, uint32_t offset) {
  uint32_t value;
  bench_of(bench).read32(offset, value);
  return value;
}

void fxhw_bench_write32(void *bench, uint32_t offset, uint32_t value) {
  bench_of(bench).write32(offset, value);
}

void fxhw_bench_idle(void *bench) { bench_of(bench).run(kIdleCycles); }

void fxhw_bench_memory_write(void *bench, uint64_t address, const void *data, size_t count) {
  const uint8_t *bytes = static_cast<const uint8_t *>(data);
  fxhw::Memory &memory = bench_of(bench).memory;
  if (memory.holds(address, count)) std::copy(bytes, bytes + count, memory.at(address));
}

void fxhw_bench_memory_read(void *bench, uint64_t address, void *data, size_t count) {
  fxhw::Memory &memory = bench_of(bench).memory;
  if (memory.holds(address, count))
    std::copy(memory.at(address), memory.at(address) + count, static_cast<uint8_t *>(data));
}

void fxhw_bench_send(void *bench, const void *data, size_t count) {
  bench_of(bench).send(static_cast<const uint8_t *>(data), count);
}

void fxhw_bench_expect(void *bench, void *data, size_t count) {
  Handle *handle = static_cast<Handle *>(bench);
  handle->mask = static_cast<uint8_t *>(data);
  handle->count = count;
  handle->taken = 0;
  handle->bench.take();
  handle->bench.expect(count);
}

int fxhw_bench_receive(void *bench) {
  Handle *handle = static_cast<Handle *>(bench);
  for (uint64_t i = 0; i < kReceiveCycles; ++i) {
    for (uint8_t byte : handle->bench.take())
      if (handle->taken < handle->count) handle->mask[handle->taken++] = byte;
    if (handle->taken == handle->count) return 0;
    handle->bench.run(1);
  }
  return 1;
}

void fxhw_bench_drop(void *bench) { bench_of(bench).drop(); }

int fxhw_bench_command(void *bench, const char *line) {
  return fxhw::carry_out(bench_of(bench), line, nullptr, stdout) ? 0 : 1;
}

}  // extern "C"
