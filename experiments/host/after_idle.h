// How long a CPU is left idle before something is measured on it: what the probe and calibrate agree on.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace experiments {

struct AfterIdle {
  std::int64_t length;  ///< nanoseconds
  const char* name;     ///< such as 300us

  /// `mmap_after_300us`.
  [[nodiscard]] std::string quantity(const char* call) const { return std::string(call) + "_after_" + name; }
};

/// From polling to halting, which on Linux 6.18 under KVM comes after 100 to 200 us.
inline constexpr std::array<AfterIdle, 5> kHardlyIdle{
    {{30'000, "30us"}, {60'000, "60us"}, {100'000, "100us"}, {150'000, "150us"}, {200'000, "200us"}}};
inline constexpr AfterIdle kHalted{300'000, "300us"};
/// From halting to the states in which caches are lost: target residencies of intel_idle and acpi_idle are 0.6 to 2 ms
/// for those. In the last one it is.
inline constexpr std::array<AfterIdle, 9> kDeepIdle{{{500'000, "500us"},
                                                     {800'000, "800us"},
                                                     {1'000'000, "1ms"},
                                                     {1'100'000, "1100us"},
                                                     {1'250'000, "1250us"},
                                                     {1'500'000, "1500us"},
                                                     {2'000'000, "2ms"},
                                                     {3'000'000, "3ms"},
                                                     {5'000'000, "5ms"}}};

}  // namespace experiments
