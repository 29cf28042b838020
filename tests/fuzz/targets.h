// What reads input, each as a function of bytes: for libFuzzer (fuzzer_main.cpp) and for a short run that needs no more
// than the compiler of the other tests (fuzz_test.cpp).
#pragma once

#include <string>
#include <vector>

namespace tests {

/// A reader of input.
struct FuzzTarget {
  std::string name;
  /// Reads it. Whatever is wrong with it is an InputError, a UsageError or a StoreError, which are caught here: all
  /// else that comes out is a fault.
  void (*read)(const std::string& bytes);
  /// What it reads when nothing is wrong: shipped files where there are some.
  std::vector<std::string> (*seeds)();
};

[[nodiscard]] const std::vector<FuzzTarget>& fuzz_targets();

}  // namespace tests
