// Streams of random numbers that are the same on every machine and independent of one another.
//
// A stream is a counter-based generator (Random123's Threefry 4x64; Salmon et al., "Parallel random numbers:
// as easy as 1, 2, 3", SC 2011) whose key is the seed, the name of who draws and what for. So a task's
// demands do not depend on how many numbers anybody else has drawn: two policies under one seed see the same
// demands at the same times (common random numbers).
#pragma once

#include <array>
#include <cstddef>
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
  result_type operator()() {
    if (left_ == 0) draw_block();
    return block_[--left_];
  }

 private:
  using Words = std::array<result_type, 4>;

  void draw_block();

  Words key_;
  result_type blocks_ = 0;  // drawn so far: 2^64 are more than any run takes
  Words block_{};           // the last one; its words go out from the last to the first, as by r123::Engine
  std::size_t left_ = 0;    // of them
};

}  // namespace sim
