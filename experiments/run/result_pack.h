// The complete form of a result, which can be read back: how it gets from the process that ran it to those that
// compare, and how a store keeps it. One encoding for all of them: CBOR (RFC 8949) of every field, by name.
//
// Validated by tests/experiments/run/result_pack_test.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/measure/result.h"

namespace experiments {

/// All of a result, in a form for unpack() only.
[[nodiscard]] std::vector<std::uint8_t> pack(const models::Result& result);
/// Throws nlohmann::json::exception if `bytes` did not come from pack().
[[nodiscard]] models::Result unpack(const std::vector<std::uint8_t>& bytes);

/// The same as text, a line for each value: for digests, and for telling two results apart.
[[nodiscard]] std::string complete_text(const models::Result& result);

}  // namespace experiments
