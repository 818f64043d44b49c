#include "memory.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "pauses.h"

namespace fxhw {

void Memory::Free::operator()(void *pointer) const { std::free(pointer); }

// calloc gives pages when they are touched, so that a large memory costs nothing by itself.
Memory::Memory(uint64_t base, uint64_t size)
    : base_(base), size_(size), bytes_(static_cast<uint8_t *>(std::calloc(size ? size : 1, 1))) {
  if (!bytes_) throw std::bad_alloc();
}

bool Memory::holds(uint64_t address, uint64_t count) const {
  return address >= base_ && count <= size_ && address - base_ <= size_ - count;
}

void Memory::fill(uint64_t seed) {
  Random random(seed);
  for (uint64_t i = 0; i < size_; ++i) bytes_[i] = uint8_t(random.next() >> 32);
}

unsigned Memory::respond(bool write, uint64_t first, uint64_t end) {
  unsigned response = holds(first, end - first) ? kOkay : kDecodeError;
  for (Fault &fault : faults) {
    if (fault.write != write) continue;
    if (fault.beat == 0) {
      if (fault.range.meets(first, end)) response = std::max(response, fault.response);
    } else if (fault.beat != UINT64_MAX && --fault.beat == 0) {
      response = std::max(response, fault.response);
      fault.beat = UINT64_MAX;  // it has struck
    }
  }
  return response;
}

bool Memory::guarded(uint64_t first, uint64_t end) const {
  return std::any_of(guards.begin(), guards.end(),
                     [&](const Range &guard) { return guard.meets(first, end); });
}

}  // namespace fxhw
