// External memory's contents, and the places where an access is refused or reported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace fxhw {

// Responses of AXI.
enum Response : unsigned { kOkay = 0, kSlaveError = 2, kDecodeError = 3 };

struct Range {
  uint64_t first, end;
  bool meets(uint64_t a, uint64_t b) const { return a < end && first < b; }
};

// An error to answer with: anywhere in a range, or at the n-th beat from now on.
struct Fault {
  bool write;
  unsigned response;
  Range range;       // used if `beat` is 0
  uint64_t beat;     // counts down; 1 is the next beat
};

class Memory {
 public:
  Memory(uint64_t base, uint64_t size);

  bool holds(uint64_t address, uint64_t count) const;
  uint8_t *at(uint64_t address) { return bytes_.get() + (address - base_); }
  void fill(uint64_t seed);

  // Response to a beat that touches [first, end).
  unsigned respond(bool write, uint64_t first, uint64_t end);
  // Whether [first, end) meets a guard.
  bool guarded(uint64_t first, uint64_t end) const;

  std::vector<Range> guards;
  std::vector<Fault> faults;
  uint64_t base() const { return base_; }
  uint64_t size() const { return size_; }

 private:
  struct Free {
    void operator()(void *pointer) const;
  };
  uint64_t base_, size_;
  std::unique_ptr<uint8_t[], Free> bytes_;
};

}  // namespace fxhw
