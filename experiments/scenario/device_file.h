// Reads devices: what files and swap are on, as configs/devices/*.yaml say it.
//
// Either a block device (models/block/block_device.h) or zram, which keeps swapped pages compressed in memory: the keys
// tell which. A reader reports all that is wrong at once.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "experiments/base/diagnostics.h"
#include "models/spec/device.h"
#include "models/spec/scenario.h"

namespace experiments {

class YamlField;
struct YamlNode;

struct Device {
  std::string name;
  std::string about;
  std::variant<models::DeviceSpec, models::ZramSpec> spec;

  bool operator==(const Device&) const = default;
};

/// Reports what is wrong with the tree of a device's file.
void check_device(const YamlNode& root, std::vector<Diagnostic>& diagnostics);

/// Throws InputError.
[[nodiscard]] Device read_device(const std::filesystem::path& file);

/// A device as a scenario says it: a name, its keys, or `{from: NAME, ...}` with the keys that differ.
/// `scenario`: the folder of the scenario (file_of). Nothing when there is no such file or it is no map.
[[nodiscard]] std::optional<Device> read_device_value(const YamlField& field, const std::filesystem::path& scenario,
                                                      std::vector<Diagnostic>& diagnostics);

}  // namespace experiments
