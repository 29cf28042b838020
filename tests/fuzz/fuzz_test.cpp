// What reads input, on what it should read and on thousands of mutations of it, the same at every run. Long runs, led
// by coverage, are those of tools/fuzz.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

#include "tests/fuzz/targets.h"
#include "tests/support/places.h"

namespace experiments::fuzz_test {
namespace {

using Random = std::mt19937_64;

constexpr std::size_t kMutations = 150;
constexpr std::size_t kLongest = 1 << 16;

std::size_t below(std::size_t bound, Random& random) { return bound == 0 ? 0 : random() % bound; }

// What readers stumble over.
constexpr std::array<std::string_view, 26> kPieces{"\xff",
                                                   "\xc2\xb5",
                                                   ":",
                                                   "{",
                                                   "}",
                                                   "[",
                                                   "]",
                                                   ", ",
                                                   "- ",
                                                   "\n",
                                                   "-1",
                                                   "0",
                                                   "nan",
                                                   "1e999",
                                                   "16EiB",
                                                   "''",
                                                   "null",
                                                   "*a",
                                                   "&a ",
                                                   "<<: ",
                                                   "p99(",
                                                   " and ",
                                                   "9223372036854775808",
                                                   "%",
                                                   "\t",
                                                   "../"};

std::string mutated(std::string bytes, const std::string& other, Random& random) {
  for (std::size_t times = 1 + below(4, random); times > 0; --times) {
    const std::size_t at = below(bytes.size() + 1, random);
    const std::size_t length = below(32, random);
    switch (random() % 6) {
      case 0:
        bytes.erase(at, length);
        break;
      case 1:
        bytes.insert(at, kPieces[below(kPieces.size(), random)]);
        break;
      case 2:
        if (at < bytes.size()) bytes[at] = static_cast<char>(random());
        break;
      case 3:
        bytes.insert(at, bytes.substr(below(bytes.size(), random), length));
        break;
      case 4:
        bytes.insert(at, other.substr(below(other.size(), random), length));
        break;
      default:
        bytes.resize(at + (bytes.size() - at) / 2);
    }
  }
  return bytes.substr(0, kLongest);
}

class Fuzz : public testing::TestWithParam<tests::FuzzTarget> {};
INSTANTIATE_TEST_SUITE_P(, Fuzz, testing::ValuesIn(tests::fuzz_targets()),
                         [](const auto& target) { return target.param.name; });

TEST_P(Fuzz, OnlyRefusesWhateverItReads) {
  tests::use_source_configs();
  const char* const more = std::getenv("MLOCKSIM_MUTATIONS");
  const std::size_t mutations = more == nullptr ? kMutations : std::strtoul(more, nullptr, 10);
  Random random(27);
  const std::vector<std::string> seeds = GetParam().seeds();
  ASSERT_FALSE(seeds.empty());
  for (const std::string& seed : seeds) EXPECT_NO_THROW(GetParam().read(seed)) << seed;
  for (std::size_t number = 0; number < mutations; ++number) {
    const std::string bytes = mutated(seeds[below(seeds.size(), random)], seeds[below(seeds.size(), random)], random);
    try {
      GetParam().read(bytes);
    } catch (const std::exception& error) {
      ADD_FAILURE() << "mutation " << number << ": " << error.what() << "\n" << bytes;
    }
  }
}

}  // namespace
}  // namespace experiments::fuzz_test
