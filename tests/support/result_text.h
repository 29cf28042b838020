// A run's result as text, every field but wall time: for comparing whole runs that were made in processes of their own.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "experiments/run/result_pack.h"
#include "models/measure/result.h"

namespace tests {

/// Two runs are the same if these texts are. That no field is missing is checked on the way.
inline std::string text_of(const models::Result& result) {
  EXPECT_TRUE(experiments::unpack(experiments::pack(result)) == result) << "the complete form lacks a field";
  return experiments::complete_text(without_wall(result));
}

}  // namespace tests
