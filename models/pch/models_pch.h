// Read once for all files of models/, which include for themselves what they use.
#pragma once

#include "sim/pch/sim_pch.h"
