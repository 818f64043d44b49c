// What went wrong outside the accelerator's own registers: sentences, each with its cycle.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fxhw {

class Problems {
 public:
  void tell(uint64_t cycle, const std::string &sentence) {
    ++count_;
    if (kept_.size() < 100) kept_.push_back("cycle " + std::to_string(cycle) + ": " + sentence);
  }
  const std::vector<std::string> &kept() const { return kept_; }
  uint64_t count() const { return count_; }
  void clear() {
    kept_.clear();
    count_ = 0;
  }

 private:
  std::vector<std::string> kept_;
  uint64_t count_ = 0;
};

}  // namespace fxhw
