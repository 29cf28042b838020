// Which kernel a trace was recorded on, as far as the place of mmap_lock in its mm_struct tells.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace experiments {

/// `linux-6.12`, the policy of the kernel whose semaphore lies so far behind its mm; nothing for one that has not been
/// looked at: the offset depends on the configuration, too.
[[nodiscard]] std::optional<std::string> kernel_of_offset(std::int64_t offset);

}  // namespace experiments
