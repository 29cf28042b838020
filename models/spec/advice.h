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
  hugepage,    ///< THP where the machine has it for advice, too
  nohugepage,  ///< no THP, even where it is on always
  willneed,
  dontneed,
  dontneed_locked,  ///< as dontneed, of what is locked, too (5.18)
  populate_read,
  populate_write,
  collapse,  ///< make huge pages of what is there, at once (6.1)
  free,      ///< may go without being written, until somebody writes to them again (4.5)
  cold,      ///< the next to be reclaimed (5.4)
  pageout,   ///< reclaimed now (5.4)
  remove,    ///< taken out of the file, too: a hole is punched into it
};

}  // namespace models
