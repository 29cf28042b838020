#include "experiments/scenario/memory_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <utility>
#include <variant>

#include "experiments/base/quantity.h"
#include "experiments/scenario/device_file.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_values.h"
#include "models/mm/page_alloc.h"

namespace experiments {

namespace {

using models::Bytes;
using models::MemorySpec;
using models::ReclaimEra;

constexpr int kLargestScaleFactor = 3000;  // watermark_scale_factor_sysctl_handler's extra2 in 6.1
constexpr int kHighestSwappiness = 200;    // of 5.8 and later
constexpr int kHighestSwappinessOf2628 = 100;
constexpr Bytes kHighestRate{std::int64_t{1} << 40};  // in a second: faster than memory

Bytes sum(Bytes a, Bytes b) { return Bytes{a.count() + b.count()}; }

// --- pressure -----------------------------------------------------------------------------------------------

enum class Pressure { none, light, heavy };

/// `size` divided, in whole pages, at least one.
Bytes share_of(Bytes size, std::int64_t divisor) {
  const std::int64_t pages = size.count() / models::kPageSize / divisor;
  return models::bytes_of(models::PageCount{std::max<std::int64_t>(pages, 1)});
}

Bytes sixteenths_of(Bytes size, std::int64_t count) { return Bytes{share_of(size, 16).count() * count}; }

MemorySpec preset(Pressure pressure, Bytes size) {
  MemorySpec memory;
  memory.size = size;
  if (pressure == Pressure::light) memory.free = share_of(size, 16);
  if (pressure == Pressure::heavy) {
    memory.free = share_of(size, 64);
    memory.anon = sixteenths_of(size, 11);
    memory.file = sixteenths_of(size, 2);
    memory.touched_every = std::chrono::seconds(10);
    memory.dirty = 0.1;
    memory.background = Bytes{std::int64_t{400} << 20};
    memory.swap = models::SwapSpec{.size = sixteenths_of(size, 4), .zram = {}};
  }
  return memory;
}

std::optional<Pressure> pressure_of(const YamlField& field) {
  return choice_of<Pressure>(field, {{"none", Pressure::none}, {"light", Pressure::light}, {"heavy", Pressure::heavy}});
}

// --- values -------------------------------------------------------------------------------------------------

std::optional<ReclaimEra> reclaim_era_of(const YamlField& field) {
  return choice_of<ReclaimEra>(field,
                               {{"linux-6.1", ReclaimEra::linux_6_1}, {"linux-2.6.28", ReclaimEra::linux_2_6_28}});
}

/// Whole pages, perhaps none.
std::optional<Bytes> pages_or_nothing_of(const YamlField& field) {
  const auto size = size_of(field);
  return !size || size->count() == 0 ? size : whole_pages_of(field);
}

std::optional<models::PageCount> page_count_of(const YamlField& field) {
  const auto size = whole_pages_of(field);
  return size ? std::optional(models::pages_of(*size)) : std::nullopt;
}

/// A window that is aligned to its size.
std::optional<models::PageCount> aligned_pages_of(const YamlField& field) {
  const auto pages = page_count_of(field);
  if (!pages || std::has_single_bit(static_cast<std::uint64_t>(pages->count()))) return pages;
  const auto below = std::bit_floor(static_cast<std::uint64_t>(pages->count()));
  const models::PageCount nearest(static_cast<std::int64_t>(below));
  field.refuse_expecting("a power of two of pages",
                         fmt::format(" (did you mean {}?)", spell(models::bytes_of(nearest))));
  return std::nullopt;
}

std::optional<Bytes> background_of(const YamlField& field) {
  const auto rate = byte_rate_of(field);
  if (!rate || *rate <= kHighestRate) return rate;
  field.refuse_expecting(fmt::format("at most {}/s", spell(kHighestRate)));
  return std::nullopt;
}

// --- devices ------------------------------------------------------------------------------------------------

/// A device of that kind; any other is refused.
template <typename Spec>
std::optional<Spec> device_of(const YamlField& field, const std::filesystem::path& scenario,
                              std::vector<Diagnostic>& diagnostics, const char* refusal) {
  const auto device = read_device_value(field, scenario, diagnostics);
  if (!device) return std::nullopt;
  if (const auto* spec = std::get_if<Spec>(&device->spec)) return *spec;
  field.refuse(refusal);
  return std::nullopt;
}

constexpr const char* kNoFilesOnZram =
    "zram has no room for files: it is for memory.swap.device only; expected a block device such as nvme";
constexpr const char* kOneBlockDevice =
    "expected zram, or no device: swap is then on memory.device, and a second block device beside that is not modelled";

/// `device` where the memory does not name one: as if it did.
YamlNode default_device_node(const YamlField& memory) {
  YamlNode node;
  node.kind = YamlNode::Kind::scalar;
  node.at = memory.node().at;
  node.scalar = default_device(memory.node());
  return node;
}

// --- the keys -----------------------------------------------------------------------------------------------

/// Reads what `memory` says, over its preset.
class KeyReader {
 public:
  KeyReader(const YamlField& field, const std::filesystem::path& scenario, std::vector<Diagnostic>& diagnostics)
      : field_(field), scenario_(scenario), diagnostics_(diagnostics), map_(field.map("a map with at least size")) {}

  MemorySpec read() {
    size_ = map_.require("size");
    Bytes size;
    assign(size, size_, whole_pages_of);
    Pressure pressure = Pressure::none;
    assign(pressure, map_.find("pressure"), pressure_of);
    memory_ = preset(pressure, size);
    free_ = map_.find("free");
    assign(memory_.free, free_, whole_pages_of);
    all_is_free_ = pressure == Pressure::none && !free_;
    read_reclaim();
    if (const auto working_set = map_.find("working_set")) read_working_set(*working_set);
    assign(memory_.dirty, map_.find("dirty"), [](const YamlField& value) { return value.number(0, 1); });
    assign(memory_.background, map_.find("background"), background_of);
    read_device();
    if (const auto swap = map_.find("swap")) read_swap(*swap);
    assign(memory_.readahead, map_.find("readahead"), page_count_of);
    assign(memory_.fault_around, map_.find("fault_around"), aligned_pages_of);
    assign(memory_.dirty_writeback, map_.find("dirty_writeback"), duration_of);
    assign(memory_.dirty_expire, map_.find("dirty_expire"), duration_of);
    map_.refuse_unknown();
    if (memory_.size.count() > 0) check_fit();
    return memory_;
  }

  /// Whether everything is to be free that is not taken.
  [[nodiscard]] bool all_is_free() const { return all_is_free_; }

 private:
  void read_reclaim() {
    assign(memory_.era, map_.find("reclaim"), reclaim_era_of);
    const bool old = memory_.era == ReclaimEra::linux_2_6_28;
    const auto min_free = map_.find("min_free");
    assign(memory_.min_free, min_free, whole_pages_of);
    if (memory_.size.count() > 0) check_min_free(min_free);
    const auto factor = map_.find("watermark_scale_factor");
    assign(memory_.watermark_scale_factor, factor, count_up_to(kLargestScaleFactor));
    if (factor && old) factor->refuse("Linux 2.6.28 knows no watermark_scale_factor (it came with 4.6): leave it out");
    const int most = old ? kHighestSwappinessOf2628 : kHighestSwappiness;
    assign(memory_.swappiness, map_.find("swappiness"), [most](const YamlField& value) -> std::optional<int> {
      const auto number = value.whole_number(0, static_cast<std::uint64_t>(most), Limit::by_others);
      return number ? std::optional(static_cast<int>(*number)) : std::nullopt;
    });
  }

  void read_working_set(const YamlField& field) {
    YamlMap map = field.map("a map such as {anon: 4GiB, file: 4GiB, touched_every: 10s}");
    anon_ = map.find("anon");
    file_ = map.find("file");
    assign(memory_.anon, anon_, pages_or_nothing_of);
    assign(memory_.file, file_, pages_or_nothing_of);
    if (const auto touched_every = map.find("touched_every")) {
      memory_.touched_every = positive_duration_of(*touched_every);
    }
    map.refuse_unknown();
  }

  void read_device() {
    const auto block_device_of = [this](const YamlField& value) {
      return device_of<models::DeviceSpec>(value, scenario_, diagnostics_, kNoFilesOnZram);
    };
    const auto device = map_.find("device");
    assign(memory_.device, device, block_device_of);
    if (device || !map_) return;
    const YamlNode node = default_device_node(field_);
    assign(memory_.device, std::optional(YamlField(node, field_.path() + ".device", diagnostics_)), block_device_of);
  }

  void read_swap(const YamlField& field) {
    if (field.is_word("none")) {
      memory_.swap.reset();
      return;
    }
    YamlMap map = field.map("none or a map such as {size: 8GiB}");
    const auto size = map.require_if(!memory_.swap, "size");
    if (!memory_.swap) memory_.swap.emplace();
    assign(memory_.swap->size, size, whole_pages_of);
    if (const auto device = map.find("device"))
      memory_.swap->zram = device_of<models::ZramSpec>(*device, scenario_, diagnostics_, kOneBlockDevice);
    // SWP_SYNCHRONOUS_IO: what comes without waiting is not read ahead (do_swap_page, since 4.15).
    if (memory_.swap->zram) memory_.swap->readahead = models::PageCount{1};
    assign(memory_.swap->readahead, map.find("readahead"), aligned_pages_of);
    map.refuse_unknown();
  }

  /// Whether the kernel's formula gives a min watermark that `min_free` could name too.
  [[nodiscard]] bool formula_fits(Bytes size) const {
    return models::min_free(size, memory_.era).count() < size.count() / 8;
  }

  void check_min_free(const std::optional<YamlField>& min_free) const {
    if (!min_free && !formula_fits(memory_.size)) refuse_too_small();
    if (!memory_.min_free || memory_.min_free->count() < memory_.size.count() / 8) return;
    min_free->refuse_expecting(fmt::format("less than an eighth of the memory's {}", spell(memory_.size)));
  }

  void refuse_too_small() const {
    Bytes enough = memory_.size;
    while (!formula_fits(enough)) enough = sum(enough, Bytes{models::kPageSize});
    size_->refuse_expecting(
        fmt::format("at least {}", spell(enough)),
        fmt::format(" (too small: the kernel's formula makes min_free {}, which must be less than an "
                    "eighth of the memory; or set memory.min_free)",
                    spell(models::min_free(memory_.size, memory_.era))));
  }

  void check_fit() const {
    const Bytes size = memory_.size;
    const Bytes free = all_is_free_ ? Bytes{} : memory_.free;
    if (free > size) {
      free_->refuse_expecting(fmt::format("at most the memory's {}", spell(size)));
      return;
    }
    const Bytes all = sum(free, sum(memory_.anon, memory_.file));
    const auto& at_fault = file_ ? file_ : anon_ ? anon_ : free_;
    if (all <= size || !at_fault) return;
    at_fault->refuse(fmt::format("free memory and the working set are together {}, more than the memory's {}",
                                 spell(all), spell(size)));
  }

  const YamlField& field_;
  const std::filesystem::path& scenario_;
  std::vector<Diagnostic>& diagnostics_;
  YamlMap map_;
  MemorySpec memory_;
  bool all_is_free_ = false;
  // The keys that may be at fault for others.
  std::optional<YamlField> size_;
  std::optional<YamlField> free_;
  std::optional<YamlField> anon_;
  std::optional<YamlField> file_;
};

/// What zram keeps `bytes` in.
Bytes compressed(Bytes bytes, const models::ZramSpec& zram) {
  const auto pages = static_cast<double>(models::pages_of(bytes).count());
  return models::bytes_of(models::PageCount(static_cast<std::int64_t>(std::ceil(pages / zram.ratio))));
}

}  // namespace

std::string default_device(const YamlNode& memory) {
  const YamlEntry* const pressure = find_entry(memory, "pressure");
  return pressure != nullptr && pressure->value.scalar == "heavy" ? "sata_ssd" : "nvme";
}

void MemoryReader::read(const YamlField& field, const std::filesystem::path& scenario,
                        std::vector<Diagnostic>& diagnostics) {
  KeyReader reader(field, scenario, diagnostics);
  memory_ = reader.read();
  all_is_free_ = reader.all_is_free();
}

void MemoryReader::place(const models::RegionSpec& region, const std::optional<YamlField>& size,
                         const std::optional<YamlField>& pages) {
  using Pages = models::RegionSpec::Pages;
  if (memory_.size.count() == 0 || region.size.count() == 0) return;
  if (!fits_in_memory_and_swap(region, *size)) return;
  if (region.pages == Pages::swapped) swap_out(region.size, *size, pages);
  const bool from_pool = region.kind == models::RegionSpec::Kind::hugetlb;  // which is set aside as a whole
  if (from_pool || region.pages == Pages::resident || region.pages == Pages::cached) take(region.size, *size);
}

models::MemorySpec MemoryReader::memory() const {
  MemorySpec memory = memory_;
  if (all_is_free_) memory.free = Bytes{std::max<std::int64_t>(memory_.size.count() - taken().count(), 0)};
  return memory;
}

// Only the region that makes it too much is at fault, not those behind it: so too below.
bool MemoryReader::fits_in_memory_and_swap(const models::RegionSpec& region, const YamlField& size) {
  if (region.kind == models::RegionSpec::Kind::file) return true;
  const Bytes room = sum(memory_.size, memory_.swap ? memory_.swap->size : Bytes{});
  const bool fitted = regions_ <= room;
  regions_ = sum(regions_, region.size);
  const bool swap_unknown = memory_.swap && memory_.swap->size.count() == 0;
  if (swap_unknown || !fitted || regions_ <= room) return true;
  size.refuse(fmt::format("all regions together are {}, more than the memory's {}{}", spell(regions_),
                          spell(memory_.size),
                          memory_.swap ? fmt::format(" and the swap's {}", spell(memory_.swap->size)) : ""));
  return false;
}

void MemoryReader::swap_out(Bytes bytes, const YamlField& size, const std::optional<YamlField>& pages) {
  if (!memory_.swap) {
    pages->refuse("there is no swap for it: set memory.swap, such as {size: 8GiB}");
    return;
  }
  const auto& [room, zram, readahead] = *memory_.swap;
  const Bytes before = swapped_;
  swapped_ = sum(swapped_, bytes);
  if (room.count() == 0 || before > room) return;
  if (swapped_ > room) {
    size.refuse(
        fmt::format("all swapped regions together are {}, more than the swap's {}", spell(swapped_), spell(room)));
  } else if (zram) {
    take(Bytes{compressed(swapped_, *zram).count() - compressed(before, *zram).count()}, size);
  }
}

void MemoryReader::take(Bytes bytes, const YamlField& size) {
  const bool fitted = taken() <= memory_.size;
  in_memory_ = sum(in_memory_, bytes);
  if (!fitted || taken() <= memory_.size) return;
  size.refuse(
      fmt::format("what is in memory at the start (free memory, the working set and regions) is {} together, more than "
                  "the memory's "
                  "{}",
                  spell(taken()), spell(memory_.size)));
}

models::Bytes MemoryReader::taken() const {
  const Bytes free = all_is_free_ ? Bytes{} : memory_.free;
  return sum(sum(free, in_memory_), sum(memory_.anon, memory_.file));
}

}  // namespace experiments
