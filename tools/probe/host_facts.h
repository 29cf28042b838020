// What can be read about this machine and its kernel without measuring.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace probe {

/// Kernel, distribution, CPUs, caches, memory, swap, huge pages, MGLRU, preemption, ticks, limits. What cannot be found
/// out is null.
[[nodiscard]] nlohmann::ordered_json host_facts(const std::vector<int>& cpus);

/// How busy the machine is: `{load_average, busy, stolen}`; the last two are shares of all CPUs' time over half a
/// second in which this process sleeps.
[[nodiscard]] nlohmann::ordered_json load_of_machine();

/// Bytes of a line of /proc/meminfo, such as `MemAvailable`; none if there is none.
[[nodiscard]] std::optional<std::size_t> meminfo(const std::string& key);

/// How much this process may lock; none: as much as it likes.
[[nodiscard]] std::optional<std::size_t> lock_limit();

}  // namespace probe
