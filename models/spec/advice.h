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
  dontneed_locked,  ///< as dontneed, of what is locked, too (5.18)
  populate_read,
  populate_write,
};

}  // namespace models
