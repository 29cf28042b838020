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
#include <random>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <boost/container/flat_map.hpp>
#include <boost/container/small_vector.hpp>
#include <boost/container/vector.hpp>

#endif  // MLOCKSIM_TESTS_PCH_H
