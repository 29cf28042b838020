// libFuzzer's entry, of the reader that MLOCKSIM_FUZZ names (tools/fuzz).
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/fuzz/targets.h"
#include "tests/support/places.h"

namespace {

/// As files, which libFuzzer begins with.
void write_seeds(const tests::FuzzTarget& target, const std::string& folder) {
  int number = 0;
  for (const std::string& seed : target.seeds()) std::ofstream(folder + "/seed" + std::to_string(number++)) << seed;
}

const tests::FuzzTarget& chosen() {
  tests::use_source_configs();
  const char* const name = std::getenv("MLOCKSIM_FUZZ");
  for (const tests::FuzzTarget& target : tests::fuzz_targets()) {
    if (name == nullptr || target.name != name) continue;
    if (const char* const folder = std::getenv("MLOCKSIM_FUZZ_SEEDS")) write_seeds(target, folder);
    return target;
  }
  std::fprintf(stderr, "MLOCKSIM_FUZZ: expected one of");
  for (const tests::FuzzTarget& target : tests::fuzz_targets()) std::fprintf(stderr, " %s", target.name.c_str());
  std::fprintf(stderr, "\n");
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const tests::FuzzTarget& target = chosen();
  target.read(std::string(data, data + size));
  return 0;
}
