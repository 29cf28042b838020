#include "sim/random.h"

#include <Random123/threefry.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>
#include <vector>

namespace sim::random_test {
namespace {

using Words = std::array<std::uint64_t, 4>;

Words threefry(const Words& counter, const Words& key) {
  const auto block =
      r123::Threefry4x64{}({{counter[0], counter[1], counter[2], counter[3]}}, {{key[0], key[1], key[2], key[3]}});
  return {block[0], block[1], block[2], block[3]};
}

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char character : text) hash = (hash ^ static_cast<unsigned char>(character)) * 1099511628211U;
  return hash;
}

std::vector<std::uint64_t> take(Stream& stream, std::size_t count) {
  std::vector<std::uint64_t> values(count);
  std::generate(values.begin(), values.end(), [&] { return stream(); });
  return values;
}

std::vector<std::uint64_t> first_values(std::uint64_t seed, std::string_view owner, std::string_view purpose) {
  Stream stream(seed, owner, purpose);
  return take(stream, 64);
}

// From kat_vectors in Random123's own tests (threefry4x64, 20 rounds).
TEST(Random, ThreefryGivesItsPublishedAnswers) {
  EXPECT_EQ(threefry({0, 0, 0, 0}, {0, 0, 0, 0}),
            (Words{0x09218ebde6c85537, 0x55941f5266d86105, 0x4bd25e16282434dc, 0xee29ec846bd2e40b}));
  constexpr std::uint64_t kOnes = ~std::uint64_t{0};
  EXPECT_EQ(threefry({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes, kOnes, kOnes}),
            (Words{0x29c24097942bba1b, 0x0371bbfb0f6f4e11, 0x3c231ffa33f83a1c, 0xcd29113fde32d168}));
  EXPECT_EQ(threefry({0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89},
                     {0x452821e638d01377, 0xbe5466cf34e90c6c, 0xbe5466cf34e90c6c, 0xc0ac29b7c97c50dd}),
            (Words{0xa7e8fde591651bd9, 0xbaafd0c30138319b, 0x84a5c1a729e685b9, 0x901d406ccebc1ba4}));
}

// From the test vectors of the FNV reference code.
TEST(Random, NamesAreHashedAsFnvPublishesIt) {
  EXPECT_EQ(fnv1a(""), 0xcbf29ce484222325U);
  EXPECT_EQ(fnv1a("a"), 0xaf63dc4c8601ec8cU);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171f73967e8U);
}

// Blocks count from 1, and Random123's engine hands out a block's words from the last to the first.
TEST(Random, AStreamIsThreefryOfItsCounterUnderItsKey) {
  const Words key{42, fnv1a("db/faulter/3"), fnv1a("think"), 0};
  Stream stream(42, "db/faulter/3", "think");
  for (std::uint64_t block = 1; block <= 1000; ++block) {
    const Words words = threefry({block, 0, 0, 0}, key);
    for (std::size_t i = words.size(); i-- > 0;) ASSERT_EQ(stream(), words[i]) << "in block " << block;
  }
}

TEST(Random, FirstValuesStayAsTheyAre) {
  Stream stream(1, "db/faulter/0", "think");
  EXPECT_EQ(take(stream, 5), (std::vector<std::uint64_t>{0x20cda2870809f717, 0x119f4a5d32c5f217, 0x77974aa54335278a,
                                                         0x9780c80f74736975, 0x865676a910776de8}));
  Stream nameless(0, "", "");
  EXPECT_EQ(take(nameless, 5), (std::vector<std::uint64_t>{0x221b2513e1cbbc0f, 0x160421430cae3bb1, 0x0a13820175b87344,
                                                           0x5e1173eca6681aec, 0xa4875bec48a6d865}));
}

TEST(Random, TheSameTripleGivesTheSameStream) {
  EXPECT_EQ(first_values(9, "ps", "think"), first_values(9, "ps", "think"));
}

TEST(Random, SeedOwnerAndPurposeEachChangeTheStream) {
  const std::vector<std::vector<std::uint64_t>> streams{
      first_values(9, "ps", "think"), first_values(10, "ps", "think"), first_values(9, "pt", "think"),
      first_values(9, "ps", "page"),  first_values(9, "think", "ps"),  first_values(9, "psthink", ""),
      first_values(9, "", "psthink"), first_values(9, "ps", "think "),
  };
  for (std::size_t i = 0; i < streams.size(); ++i) {
    for (std::size_t j = i + 1; j < streams.size(); ++j) {
      const auto met = std::find_first_of(streams[i].begin(), streams[i].end(), streams[j].begin(), streams[j].end());
      EXPECT_EQ(met, streams[i].end()) << "streams " << i << " and " << j << " share a value";
    }
  }
}

TEST(Random, AStreamDoesNotDependOnTheUseOfOthers) {
  const std::vector<std::uint64_t> alone = first_values(3, "faulter/0", "think");
  Stream stream(3, "faulter/0", "think");
  Stream neighbour(3, "faulter/1", "think");
  std::vector<std::uint64_t> beside;
  for (std::size_t i = 0; i < alone.size(); ++i) {
    take(neighbour, i % 7);
    beside.push_back(stream());
  }
  EXPECT_EQ(beside, alone);
}

TEST(Random, ACopyGoesOnFromTheSamePlace) {
  for (std::size_t used = 0; used < 9; ++used) {
    Stream stream(3, "faulter/0", "think");
    take(stream, used);
    Stream copy = stream;
    EXPECT_EQ(take(copy, 20), take(stream, 20)) << "after " << used << " values";
  }
}

// Correlation would show in the number of equal bits: 64 * 10,000 fair coins, so one standard deviation is 400.
TEST(Random, NeighbouringStreamsAgreeInHalfOfTheirBits) {
  Stream a(1, "faulter/0", "think");
  Stream b(1, "faulter/1", "think");
  std::int64_t equal_bits = 0;
  for (int i = 0; i < 10'000; ++i) equal_bits += std::popcount(~(a() ^ b()));
  EXPECT_NEAR(static_cast<double>(equal_bits), 320'000, 4 * 400);
}

}  // namespace
}  // namespace sim::random_test
