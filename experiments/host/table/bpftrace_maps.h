// The histograms in what bpftrace prints: maps of hist() and lhist().
//
//   @usecs[postgres, 1]:
//   [0]                    3 |@@@@@@                                              |
//   [2, 4)                24 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
//
// hist() has powers of two with K, M, G ... for 1024 and its powers, [0] and [1] on their own and (..., 0) for what is
// negative; lhist() has steps, (..., FROM) below and [TO, ...) above them.
#pragma once

#include <string_view>
#include <vector>

#include "experiments/host/table/attached_table.h"
#include "experiments/host/table/table_text.h"

namespace experiments {

[[nodiscard]] bool is_bpftrace_bucket(std::string_view line);
/// Also one that is broken, as by a mail's line breaks.
[[nodiscard]] bool looks_like_bpftrace_bucket(std::string_view line);

/// The maps that are histograms, in their order; others are passed over. Of one that is printed again and again
/// (interval, print()) the last is there, in the place of the first. Throws InputError for a bucket that is broken off
/// or does not follow the one before it.
[[nodiscard]] std::vector<AttachedHistogram> parse_bpftrace_maps(const TableText& table);

}  // namespace experiments
