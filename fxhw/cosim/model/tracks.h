// What trace pins showed: words, each behind the cycle and the step in which it passed.
//
// Records of a track lie back to back, numbers lowest byte first:
//
//   front, out: cycle (8 bytes), step (2), word
//   write:      cycle (8), step (2), address (4), word
//   steps:      cycle (8), running (2), step (2), whenever one of the two changes
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace fxhw {

class Track {
 public:
  template <typename Number>
  Track &number(Number value) {
    return bytes(&value, sizeof value);  // words of the host, lowest first
  }
  Track &bytes(const void *data, size_t count) {
    const uint8_t *first = static_cast<const uint8_t *>(data);
    bytes_.insert(bytes_.end(), first, first + count);
    return *this;
  }
  std::vector<uint8_t> take() {
    std::vector<uint8_t> taken;
    taken.swap(bytes_);
    return taken;
  }

 private:
  std::vector<uint8_t> bytes_;
};

struct Tracks {
  bool on = false;
  Track front, out, write, steps;
  uint32_t state = ~0u;  // running and step of the last record of `steps`

  void begin(bool record) {
    *this = Tracks();
    on = record;
  }
  Track *find(const std::string &name) {
    const std::map<std::string, Track *> named = {
        {"front", &front}, {"out", &out}, {"write", &write}, {"steps", &steps}};
    const auto found = named.find(name);
    return found == named.end() ? nullptr : found->second;
  }
};

}  // namespace fxhw
