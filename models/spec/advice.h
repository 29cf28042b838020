// What a thread can say of its memory with madvise(2).
#pragma once

namespace models {

/// MADV_NORMAL and so on.
enum class Advice {
  normal,
  random,
  sequential,
  dontfork,
  dofork,
  willneed,
  dontneed,
  populate_read,
  populate_write,
};

}  // namespace models
