// Read once for all files of experiments/ and for their tests, which include for themselves what they use.
#ifndef MLOCKSIM_EXPERIMENTS_PCH_H  // g++ warns of #pragma once in what it precompiles
#define MLOCKSIM_EXPERIMENTS_PCH_H

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <boost/algorithm/string/erase.hpp>
#include <boost/algorithm/string/join.hpp>
#include <boost/algorithm/string/replace.hpp>
#include <boost/algorithm/string/trim.hpp>
#include <boost/container/flat_map.hpp>
#include <boost/container/small_vector.hpp>
#include <nlohmann/json.hpp>

// Compiled once, in base/json.cpp.
extern template class nlohmann::basic_json<nlohmann::ordered_map>;

#endif  // MLOCKSIM_EXPERIMENTS_PCH_H
