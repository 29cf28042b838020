#include "sim/random.h"

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

r123::Threefry4x64::key_type make_key(std::uint64_t seed, std::string_view owner, std::string_view purpose) {
  return {{seed, stable_hash(owner), stable_hash(purpose), 0}};
}

}  // namespace

Stream::Stream(std::uint64_t seed, std::string_view owner, std::string_view purpose)
    : engine_(make_key(seed, owner, purpose)) {}

}  // namespace sim
