// Ranges of addresses of one address space that do not touch: what overlaps or meets has become one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace experiments {

class AddressRanges {
 public:
  struct Range {
    std::uint64_t start;
    std::uint64_t end;  ///< beyond the last
  };

  /// Precondition: start < end.
  void join(std::uint64_t start, std::uint64_t end);
  /// The one that has all of these; nothing where none has.
  [[nodiscard]] std::optional<Range> around(std::uint64_t start, std::uint64_t end) const;
  /// Whether one has some of these.
  [[nodiscard]] bool overlap(std::uint64_t start, std::uint64_t end) const;
  /// Ends by starts, in the order of addresses.
  [[nodiscard]] const std::map<std::uint64_t, std::uint64_t>& all() const { return ends_; }

 private:
  std::map<std::uint64_t, std::uint64_t> ends_;
};

}  // namespace experiments
