// Random decisions of the bench: the same seed makes the same ones.
#pragma once

#include <cstdint>

namespace fxhw {

class Random {
 public:
  explicit Random(uint64_t seed = 1) { reseed(seed); }

  // Seeds that differ in one bit must not begin alike, so that they are mixed first (splitmix64).
  void reseed(uint64_t seed) {
    uint64_t mixed = seed + 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    state_ = (mixed ^ (mixed >> 31)) | 1;
  }

  // xorshift64.
  uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }

  // True in `rate` of 256 cases.
  bool chance(unsigned rate) { return rate != 0 && ((next() >> 24) & 0xff) < rate; }

  unsigned below(unsigned count) { return count < 2 ? 0 : unsigned((next() >> 16) % count); }

 private:
  uint64_t state_;
};

}  // namespace fxhw
