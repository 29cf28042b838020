// Reads the regions of a process: mappings that are there before its threads start.
#pragma once

#include <vector>

#include "models/spec/scenario.h"

namespace experiments {

class MemoryReader;
class YamlField;

/// A map of regions by name. Each is given its place in `memory`, which has read the machine's.
[[nodiscard]] std::vector<models::RegionSpec> read_regions(const YamlField& field, MemoryReader& memory);

}  // namespace experiments
