// Streams of random numbers that are the same on every machine and independent of one another.
//
// A stream is a counter-based generator (Random123's Threefry 4x64; Salmon et al., "Parallel random numbers:
// as easy as 1, 2, 3", SC 2011) whose key is the seed, the name of who draws and what for. So a task's
// demands do not depend on how many numbers anybody else has drawn: two policies under one seed see the same
// demands at the same times (common random numbers).
#pragma once

#include <Random123/threefry.h>
#include <Random123/conventional/Engine.hpp>

#include <cstdint>
#include <string_view>

namespace sim {

class Stream {
 public:
  using result_type = std::uint64_t;

  /// The stream of `owner` for `purpose` under `seed`; different triples give independent streams
  /// (names enter by a 64-bit hash).
  Stream(std::uint64_t seed, std::string_view owner, std::string_view purpose);

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }
  result_type operator()() { return engine_(); }

 private:
  r123::Engine<r123::Threefry4x64> engine_;
};

}  // namespace sim
