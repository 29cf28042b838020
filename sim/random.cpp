#include "sim/random.h"

#include <Random123/threefry.h>

namespace sim {

namespace {

// FNV-1a, because std::hash and boost::hash may differ from one platform to the next.
std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char character : text) {
    hash ^= static_cast<unsigned char>(character);
    hash *= 0x100000001b3U;
  }
  return hash;
}

}  // namespace

Stream::Stream(std::uint64_t seed, std::string_view owner, std::string_view purpose)
    : key_{seed, stable_hash(owner), stable_hash(purpose), 0} {}

void Stream::draw_block() {
  const auto words = r123::Threefry4x64{}({{++blocks_, 0, 0, 0}}, {{key_[0], key_[1], key_[2], key_[3]}});
  block_ = {words[0], words[1], words[2], words[3]};
  left_ = block_.size();
}

}  // namespace sim
