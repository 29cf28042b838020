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
  free,     ///< may go without being written, until somebody writes to them again (4.5)
  cold,     ///< the next to be reclaimed (5.4)
  pageout,  ///< reclaimed now (5.4)
};

}  // namespace models
