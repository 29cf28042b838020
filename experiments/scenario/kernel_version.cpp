#include "experiments/scenario/kernel_version.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

namespace experiments {

namespace {

// Three numbers at most, of which the first two must be there. Returns where they end; null if they are not there.
const char* read_numbers(const char* at, const char* end, models::KernelVersion& kernel) {
  const char* done = nullptr;
  for (int* const number : {&kernel.version, &kernel.patchlevel, &kernel.sublevel}) {
    if (number != &kernel.version && (at == end || *at++ != '.')) break;
    const auto [behind, error] = std::from_chars(at, end, *number);
    if (error != std::errc{} || *number < 0) break;
    at = behind;
    if (number != &kernel.version) done = at;
  }
  return done;
}

bool has_sublevels_as_releases(const models::KernelVersion& kernel) {
  return kernel.version == 2 && kernel.patchlevel == 6;
}

}  // namespace

std::string to_text(const models::KernelVersion& kernel) {
  const std::string sublevel = kernel.sublevel == 0 ? "" : fmt::format(".{}", kernel.sublevel);
  return fmt::format("{}.{}{}", kernel.version, kernel.patchlevel, sublevel);
}

Expected<models::KernelVersion> parse_kernel(const std::string& text) {
  models::KernelVersion kernel;
  const char* const end = text.data() + text.size();
  if (read_numbers(text.data(), end, kernel) == end) return kernel;
  return Refusal{fmt::format("expected the version of a kernel such as 6.4, found '{}'", text)};
}

models::KernelVersion release_of(const models::KernelVersion& kernel) {
  return has_sublevels_as_releases(kernel) ? kernel : models::KernelVersion{kernel.version, kernel.patchlevel, 0};
}

std::optional<NamedKernel> parse_uname(const std::string& text) {
  std::string_view word = text;
  for (const std::string_view prefix : {"linux-", "v"}) {
    if (word.starts_with(prefix)) word.remove_prefix(prefix.size());
  }
  const char* const end = word.data() + word.size();
  NamedKernel named;
  const char* const behind = read_numbers(word.data(), end, named.release);
  if (behind == nullptr) return std::nullopt;
  named.release = release_of(named.release);
  named.rest = std::string(behind, end);
  const bool other = !named.rest.empty() &&
                     (named.rest.size() == 1 || std::string_view("-+~").find(named.rest.front()) == std::string::npos);
  return other ? std::nullopt : std::optional(named);
}

}  // namespace experiments
