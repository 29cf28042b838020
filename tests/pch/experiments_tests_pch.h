// Read once for all tests of experiments/, which include for themselves what they use.
#ifndef MLOCKSIM_EXPERIMENTS_TESTS_PCH_H  // g++ warns of #pragma once in what it precompiles
#define MLOCKSIM_EXPERIMENTS_TESTS_PCH_H

#include "experiments/pch/experiments_pch.h"
#include "tests/pch/tests_pch.h"

#endif  // MLOCKSIM_EXPERIMENTS_TESTS_PCH_H
