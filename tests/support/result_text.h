// Whole runs compared that were made in processes of their own: every field of their results, but for wall time.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "experiments/run/result_pack.h"
#include "models/measure/result.h"

namespace tests {

/// For a process to hand on: as text takes several times as long. Two runs are the same if these bytes are. That no
/// field is missing is checked on the way, which takes as long again: not of the second of two runs, either.
inline std::string packed(const models::Result& result, bool second = false) {
  const models::Result same = without_wall(result);
  const auto bytes = experiments::pack(same);
  if (!second) {
    EXPECT_TRUE(experiments::unpack(bytes) == same) << "the complete form lacks a field";
  }
  return {bytes.begin(), bytes.end()};
}

inline models::Result unpacked(const std::string& bytes) { return experiments::unpack({bytes.begin(), bytes.end()}); }

/// The same as text: for digests.
inline std::string text_of(const models::Result& result) {
  return experiments::complete_text(unpacked(packed(result)));
}

/// Of two packed results the first line that differs, for a person; empty if none does. What a child has to say instead
/// of a result is told as it is.
inline std::string difference(const std::string& one, const std::string& other) {
  for (const std::string& each : {one, other}) {
    if (each.rfind("child failed", 0) == 0) return each.substr(0, 1000);
  }
  if (one == other) return {};
  const std::string left = experiments::complete_text(unpacked(one));
  const std::string right = experiments::complete_text(unpacked(other));
  const auto place = static_cast<std::size_t>(
      std::mismatch(left.begin(), left.end(), right.begin(), right.end()).first - left.begin());
  const auto line = [&](const std::string& text) {
    const std::size_t begin = place == 0 ? 0 : text.rfind('\n', place - 1) + 1;
    return text.substr(begin, 120);
  };
  return line(left) + "\nand\n" + line(right);
}

}  // namespace tests
