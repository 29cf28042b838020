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

/// process_madvise_remote_valid of 6.1 and later: what process_madvise(2) lets one process say of another's memory.
constexpr bool can_come_from_outside(Advice advice) {
  return advice == Advice::cold || advice == Advice::pageout || advice == Advice::willneed ||
         advice == Advice::collapse;
}

/// What undoes it. Normal is what mappings have from the start: it undoes itself only after something else has been
/// said.
constexpr Advice opposite_of(Advice advice) {
  switch (advice) {
    case Advice::normal:
      return Advice::sequential;
    case Advice::random:
    case Advice::sequential:
      return Advice::normal;
    case Advice::dontfork:
      return Advice::dofork;
    case Advice::dofork:
      return Advice::dontfork;
    case Advice::hugepage:
      return Advice::nohugepage;
    case Advice::nohugepage:
      return Advice::hugepage;
    default:
      return advice;
  }
}

}  // namespace models
