// Read once for all tests of experiments/, which include for themselves what they use.
#pragma once

#include "experiments/pch/experiments_pch.h"
#include "tests/pch/tests_pch.h"
