// Read once for all files of models/, which include for themselves what they use.
#ifndef MLOCKSIM_MODELS_PCH_H  // g++ warns of #pragma once in what it precompiles
#define MLOCKSIM_MODELS_PCH_H

#include "sim/pch/sim_pch.h"

#endif  // MLOCKSIM_MODELS_PCH_H
