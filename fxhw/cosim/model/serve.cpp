// serve BASE SIZE SEED: a bench that takes commands (commands.h) from its standard input.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "commands.h"

int main(int count, char **arguments) {
  if (count != 4) {
    std::fprintf(stderr, "usage: %s BASE SIZE SEED\n", arguments[0]);
    return 2;
  }
  const auto number = [&](int i) { return std::strtoull(arguments[i], nullptr, 0); };
  // Answers have a pipe of their own: whatever the model prints must not come among them.
  std::FILE *out = fdopen(dup(1), "wb");
  dup2(2, 1);
  try {
    fxhw::Bench bench(number(1), number(2), number(3));
    std::string line;
    for (int next; (next = std::getchar()) != EOF;) {
      if (next != '\n') {
        line += char(next);
        continue;
      }
      if (!fxhw::carry_out(bench, line.c_str(), stdin, out)) break;
      line.clear();
    }
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
