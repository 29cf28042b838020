// Read once for all files of tests/, which include for themselves what they use.
#ifndef MLOCKSIM_TESTS_PCH_H  // g++ warns of #pragma once in what it precompiles
#define MLOCKSIM_TESTS_PCH_H

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

#endif  // MLOCKSIM_TESTS_PCH_H
