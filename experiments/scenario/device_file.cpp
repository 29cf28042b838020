#include "experiments/scenario/device_file.h"

#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_values.h"

namespace experiments {

namespace {

constexpr int kMostRequests = 65'536;   // NVMe's longest queue
constexpr double kHighestRatio = 4096;  // a page to a byte

bool is_zram(const YamlMap& map) {
  return map.has_sign("compress") || map.has_sign("decompress") || map.has_sign("ratio");
}

models::ZramSpec read_zram_keys(YamlMap& map) {
  models::ZramSpec zram;
  assign(zram.compress, map.require("compress"), duration_of);
  assign(zram.decompress, map.require("decompress"), duration_of);
  assign(zram.ratio, map.require("ratio"), [](const YamlField& field) { return field.number(1, kHighestRatio); });
  return zram;
}

models::DeviceSpec read_block_device_keys(YamlMap& map) {
  models::DeviceSpec device;
  assign(device.queue_depth, map.require("queue_depth"), count_up_to(kMostRequests));
  assign(device.nr_requests, map.require("nr_requests"), count_up_to(kMostRequests));
  assign(device.read, map.require("read"), distribution_of);
  assign(device.write, map.require("write"), distribution_of);
  assign(device.transfer_page, map.require("transfer_page"), duration_of);
  assign(device.stable_pages, map.find("stable_pages"), truth_of);
  return device;
}

Device read_device_keys(YamlMap& map) {
  Device device;
  assign(device.name, map.require("name"), name_of);
  assign(device.about, map.find("about"), text_of);
  if (is_zram(map)) {
    map.is_variant("zram");
    device.spec = read_zram_keys(map);
  } else {
    map.is_variant("block device");
    models::DeviceSpec block_device = read_block_device_keys(map);
    block_device.name = device.name;
    device.spec = block_device;
  }
  map.refuse_unknown();
  return device;
}

}  // namespace

void check_device(const YamlNode& root, std::vector<Diagnostic>& diagnostics) {
  if (YamlMap map = open_config(root, ConfigKind::devices, diagnostics)) (void)read_device_keys(map);
}

std::optional<Device> read_device_value(const YamlField& field, const std::filesystem::path& scenario,
                                        std::vector<Diagnostic>& diagnostics) {
  std::optional<Device> device;
  read_config_value(field, ConfigKind::devices, scenario, diagnostics,
                    [&](YamlMap& map) { device = read_device_keys(map); });
  return device;
}

Device read_device(const std::filesystem::path& file) {
  std::vector<Diagnostic> diagnostics;
  Device device;
  (void)read_config(file, ConfigKind::devices, diagnostics, [&](YamlMap& map) { device = read_device_keys(map); });
  if (!diagnostics.empty()) throw InputError(diagnostics);
  return device;
}

}  // namespace experiments
