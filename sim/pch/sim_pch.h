// Read once for all files of sim/ and models/, which include for themselves what they use.
#ifndef MLOCKSIM_SIM_PCH_H  // g++ warns of #pragma once in what it precompiles
#define MLOCKSIM_SIM_PCH_H

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
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

#endif  // MLOCKSIM_SIM_PCH_H
