// Compiled by same_draws_test.py in several ways: prints a digest of a million draws of each kind in which floating
// point has a part, with the parameters that scenarios have.
#include <boost/random/binomial_distribution.hpp>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>

#include "sim/distribution.h"
#include "sim/random.h"

namespace {

using namespace std::chrono_literals;

constexpr int kDraws = 1'000'000;

class Digest {  // FNV-1a
 public:
  void add(std::int64_t value) {
    hash_ ^= static_cast<std::uint64_t>(value);
    hash_ *= 0x100000001b3U;
  }
  [[nodiscard]] unsigned long long value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325U;
};

unsigned long long digest_of(const sim::Distribution& distribution, const char* purpose) {
  sim::Stream stream(1, "draws", purpose);
  Digest digest;
  for (int draw = 0; draw < kDraws; ++draw) digest.add(distribution.sample(stream).count());
  return digest.value();
}

// How many pages of a run have been touched (models/mm/vmscan.cpp, models/mm/mglru.cpp).
unsigned long long digest_of_touched() {
  sim::Stream stream(1, "draws", "touched");
  Digest digest;
  for (int draw = 0; draw < kDraws; ++draw) {
    const double ages = static_cast<double>(draw) / kDraws;
    boost::random::binomial_distribution<std::int64_t, double> touched(1 + draw % 512, 1 - std::exp(-ages));
    digest.add(touched(stream));
  }
  return digest.value();
}

}  // namespace

int main() {
  std::printf("uniform %016llx\n", digest_of(sim::Uniform{0ns, 999'983ns}, "uniform"));
  std::printf("exponential %016llx\n", digest_of(sim::Exponential{20us}, "exponential"));
  std::printf("lognormal %016llx\n", digest_of(sim::Lognormal{700ns, 4us}, "lognormal"));
  std::printf("lognormal, long %016llx\n", digest_of(sim::Lognormal{1s, 100s}, "lognormal, long"));
  std::printf("touched %016llx\n", digest_of_touched());
}
