#include "commands.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace fxhw {

namespace {

using Words = std::vector<std::string>;
using Numbers = std::vector<uint64_t>;

struct Call {
  Bench &bench;
  const Words &words;
  Numbers numbers;  // of the words behind the command that are numbers, 0 for others
  std::FILE *in, *out;

  std::vector<uint8_t> bytes(uint64_t count) const {
    std::vector<uint8_t> data(count);
    if (count && (!in || std::fread(data.data(), 1, count, in) != count))
      throw std::runtime_error("the data of " + words[0] + " ended early");
    return data;
  }
  void answer(const std::vector<uint8_t> &data) const {
    std::fprintf(out, "ok %zu\n", data.size());
    std::fwrite(data.data(), 1, data.size(), out);
  }
};

using Number = unsigned long long;

void peek(const Call &c) {
  const uint64_t address = c.numbers[0], count = c.numbers[1];
  if (!c.bench.memory.holds(address, count))
    throw std::runtime_error("memory has no such bytes");
  const uint8_t *first = c.bench.memory.at(address);
  c.answer(std::vector<uint8_t>(first, first + count));
}

void poke(const Call &c) {
  const std::vector<uint8_t> data = c.bytes(c.numbers[1]);
  if (!c.bench.memory.holds(c.numbers[0], data.size()))
    throw std::runtime_error("memory has no such bytes");
  std::copy(data.begin(), data.end(), c.bench.memory.at(c.numbers[0]));
  std::fprintf(c.out, "ok\n");
}

uint64_t *setting(Bench &bench, const std::string &name) {
  MemoryTiming &t = bench.axi.timing;
  const std::map<std::string, uint64_t *> settings = {
      {"read_latency", &t.read_latency}, {"write_latency", &t.write_latency},
      {"outstanding", &t.outstanding},   {"pause", &t.pause},
      {"reorder", &t.reorder},           {"shared", &t.shared},
      {"stream_pause", &bench.stream_pause}};
  const auto found = settings.find(name);
  return found == settings.end() ? nullptr : found->second;
}

void set(const Call &c) {
  uint64_t *value = setting(c.bench, c.words[1]);
  if (!value) throw std::runtime_error("there is no setting " + c.words[1]);
  *value = c.numbers[1];
  std::fprintf(c.out, "ok\n");
}

void fault(const Call &c) {
  const bool write = c.words[1] == "w", range = c.words[2] == "range";
  if (c.words.size() != (range ? 6u : 5u)) throw std::runtime_error("fault is incomplete");
  Fault fault{write, unsigned(c.numbers.back()), {0, 0}, 0};
  if (range)
    fault.range = {c.numbers[2], c.numbers[3]};
  else
    fault.beat = c.numbers[2];
  if (!range && fault.beat == 0) throw std::runtime_error("beats count from 1");
  c.bench.memory.faults.push_back(fault);
  std::fprintf(c.out, "ok\n");
}

void forgive(const Call &c) {
  c.bench.memory.faults.clear();
  c.bench.memory.guards.clear();
  c.bench.problems.clear();
  std::fprintf(c.out, "ok\n");
}

void fetch(const Call &c) {
  Track *track = c.bench.tracks.find(c.words[1]);
  if (!track) throw std::runtime_error("there is no track " + c.words[1]);
  c.answer(track->take());
}

void counts(const Call &c) {
  const MemoryCounts &n = c.bench.axi.counts;
  const std::pair<const char *, uint64_t> values[] = {
      {"cycle", c.bench.cycle()},        {"first_request", n.first_request},
      {"last_write", n.last_write},      {"read_bursts", n.read_bursts},
      {"read_beats", n.read_beats},      {"read_bytes", n.read_bytes},
      {"write_bursts", n.write_bursts},  {"write_beats", n.write_beats},
      {"write_bytes", n.write_bytes},    {"guard_touches", n.guard_touches}};
  std::fprintf(c.out, "ok");
  for (const auto &value : values) std::fprintf(c.out, " %s=%llu", value.first, Number(value.second));
  std::fprintf(c.out, "\n");
}

void problems(const Call &c) {
  const auto &kept = c.bench.problems.kept();
  std::fprintf(c.out, "ok %zu\n", kept.size());
  for (const std::string &line : kept) std::fprintf(c.out, "%s\n", line.c_str());
}

void read(const Call &c) {
  uint32_t value;
  const unsigned response = c.bench.read32(uint32_t(c.numbers[0]), value);
  std::fprintf(c.out, "ok %u %u %llu\n", response, value, Number(c.bench.cycle()));
}

void write(const Call &c) {
  const unsigned response = c.bench.write32(uint32_t(c.numbers[0]), uint32_t(c.numbers[1]));
  std::fprintf(c.out, "ok %u %llu\n", response, Number(c.bench.cycle()));
}

void cycles(const Call &c) { std::fprintf(c.out, "ok %llu\n", Number(c.bench.cycle())); }

struct Command {
  size_t arguments;
  void (*act)(const Call &);
};

const std::map<std::string, Command> &commands() {
  static const std::map<std::string, Command> table = {
      {"r", {1, read}},
      {"w", {2, write}},
      {"poke", {2, poke}},
      {"peek", {2, peek}},
      {"run", {1, [](const Call &c) { c.bench.run(c.numbers[0]); cycles(c); }}},
      {"reset", {1, [](const Call &c) { c.bench.reset(c.numbers[0]); cycles(c); }}},
      {"wait", {1, [](const Call &c) {
         const bool came = c.bench.wait(c.numbers[0]);
         std::fprintf(c.out, "ok %d %llu\n", came, Number(c.bench.cycle()));
       }}},
      {"step", {2, [](const Call &c) {
         c.bench.wait_step(c.numbers[0], c.numbers[1]);
         std::fprintf(c.out, "ok %u %llu\n", c.bench.step(), Number(c.bench.cycle()));
       }}},
      {"send", {1, [](const Call &c) {
         const std::vector<uint8_t> data = c.bytes(c.numbers[0]);
         c.bench.send(data.data(), data.size());
         std::fprintf(c.out, "ok\n");
       }}},
      {"expect", {1, [](const Call &c) { c.bench.expect(c.numbers[0]); std::fprintf(c.out, "ok\n"); }}},
      {"drop", {0, [](const Call &c) { c.bench.drop(); std::fprintf(c.out, "ok\n"); }}},
      {"take", {0, [](const Call &c) { c.answer(c.bench.take()); }}},
      {"fill", {1, [](const Call &c) { c.bench.memory.fill(c.numbers[0]); std::fprintf(c.out, "ok\n"); }}},
      {"seed", {1, [](const Call &c) { c.bench.reseed(c.numbers[0]); std::fprintf(c.out, "ok\n"); }}},
      {"guard", {2, [](const Call &c) {
         c.bench.memory.guards.push_back({c.numbers[0], c.numbers[1]});
         std::fprintf(c.out, "ok\n");
       }}},
      {"trace", {1, [](const Call &c) {
         c.bench.tracks.begin(c.numbers[0] != 0);
         std::fprintf(c.out, "ok\n");
       }}},
      {"fetch", {1, fetch}},
      {"mark", {0, [](const Call &c) { c.bench.axi.counts = {}; std::fprintf(c.out, "ok\n"); }}},
      {"set", {2, set}},
      {"fault", {4, fault}},
      {"forgive", {0, forgive}},
      {"counts", {0, counts}},
      {"problems", {0, problems}},
  };
  return table;
}

}  // namespace

bool carry_out(Bench &bench, const char *line, std::FILE *in, std::FILE *out) {
  Words words;
  std::istringstream stream(line);
  for (std::string word; stream >> word;) words.push_back(word);
  bool more = true;
  try {
    if (words.empty()) throw std::runtime_error("a command is missing");
    if (words[0] == "quit") {
      std::fprintf(out, "ok\n");
      more = false;
    } else {
      const auto found = commands().find(words[0]);
      if (found == commands().end()) throw std::runtime_error("there is no command " + words[0]);
      if (words.size() <= found->second.arguments)
        throw std::runtime_error(words[0] + " is incomplete");
      Call call{bench, words, {}, in, out};
      for (size_t i = 1; i < words.size(); ++i)
        call.numbers.push_back(std::strtoull(words[i].c_str(), nullptr, 0));
      found->second.act(call);
    }
  } catch (const std::exception &error) {
    std::fprintf(out, "error %s\n", error.what());
  }
  std::fflush(out);
  return more;
}

}  // namespace fxhw
