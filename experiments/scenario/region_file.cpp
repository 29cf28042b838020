#include "experiments/scenario/region_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "experiments/scenario/memory_file.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_values.h"
#include "models/mm/mm.h"
#include "models/spec/page.h"

namespace experiments {

namespace {

constexpr int kMostVmas = static_cast<int>(models::kDefaultMaxMapCount);

std::optional<models::RegionSpec::Kind> kind_of_region(const YamlField& field) {
  using Kind = models::RegionSpec::Kind;
  return choice_of<Kind>(field,
                         {{"anon", Kind::anon},
                          {"file", Kind::file},
                          {"shmem", Kind::shmem},
                          {"special", Kind::special},
                          {"hugetlb", Kind::hugetlb},
                          {"io", Kind::io}},
                         {"gate"});
}

struct PageSize {
  models::RegionSpec::FolioOrder order;
  bool hugetlb = false;
};

/// Those of anonymous folios are what mTHP has on x86-64: /sys/kernel/mm/transparent_hugepage/hugepages-*kB.
const Choices<PageSize>& page_sizes() {
  static const Choices<PageSize> sizes = {{"4KiB", {0}},
                                          {"16KiB", {2}},
                                          {"32KiB", {3}},
                                          {"64KiB", {4}},
                                          {"128KiB", {5}},
                                          {"256KiB", {6}},
                                          {"512KiB", {7}},
                                          {"1MiB", {8}},
                                          {"2MiB", {models::kPmdOrder}},
                                          {"thp", {std::nullopt}},
                                          {"hugetlb 2MiB", {models::kPmdOrder, true}},
                                          {"hugetlb 1GiB", {models::kPudOrder, true}}};
  return sizes;
}

/// Reads `page_size`, which says the kind, too, where `kind` does not.
void read_page_size(const std::optional<YamlField>& field, bool says_kind, models::RegionSpec& region) {
  using Kind = models::RegionSpec::Kind;
  const auto size = field ? choice_of<PageSize>(*field, page_sizes()) : std::nullopt;
  if (size && size->hugetlb && !says_kind) region.kind = Kind::hugetlb;
  const bool hugetlb = region.kind == Kind::hugetlb;
  if (!field && hugetlb) region.folio_order = models::kPmdOrder;  // default_hugepagesz on x86-64
  if (!size) return;
  const bool large = !size->order || *size->order > 0;
  if (size->hugetlb != hugetlb) {
    field->refuse_expecting(hugetlb ? "hugetlb 2MiB or hugetlb 1GiB, as the kind is hugetlb"
                                    : "another page size: the kind is not hugetlb");
  } else if (large && region.kind == Kind::shmem) {
    field->refuse_expecting("4KiB: huge pages of shared memory are not modelled");
  } else if (large && !hugetlb && region.kind != Kind::anon) {
    field->refuse_expecting("4KiB: only anonymous memory has larger pages, and hugetlb");
  } else {
    region.folio_order = size->order;
  }
}

/// Of hugetlb whole pages only, and VMAs of whole pages.
void refuse_broken_pages(const models::RegionSpec& region, const std::optional<YamlField>& size,
                         const std::optional<YamlField>& vmas) {
  const bool hugetlb = region.kind == models::RegionSpec::Kind::hugetlb;
  if (!hugetlb || !region.folio_order || region.size.count() == 0) return;
  const models::Bytes page = models::bytes_of(models::pages_of_order(*region.folio_order));
  if (region.size.count() % page.count() != 0) {
    size->refuse_expecting(fmt::format("a multiple of its pages' {}", spell(page)));
  } else if (region.size.count() / page.count() % region.vmas != 0) {
    vmas->refuse_expecting(fmt::format("VMAs of whole pages of {}", spell(page)));
  }
}

/// `absent` where the kind of region cannot have what the field says.
models::RegionSpec::Pages read_pages(const YamlField& field, std::optional<models::RegionSpec::Kind> kind) {
  using Kind = models::RegionSpec::Kind;
  using Pages = models::RegionSpec::Pages;
  const Choices<Pages> choices = {
      {"absent", Pages::absent}, {"resident", Pages::resident}, {"cached", Pages::cached}, {"swapped", Pages::swapped}};
  const Pages pages = choice_of<Pages>(field, choices).value_or(Pages::absent);
  if (pages == Pages::absent || !kind) return pages;
  const bool in_pool = kind == Kind::hugetlb && pages == Pages::resident;
  if (kind != Kind::anon && kind != Kind::file && kind != Kind::shmem && !in_pool) {
    field.refuse_expecting("absent: only the pages of anon, file and shmem regions can be anywhere at the start");
  } else if (pages == Pages::cached && kind == Kind::anon) {
    field.refuse_expecting("absent, resident or swapped: only the pages of files and of shmem are in the page cache");
  } else if (pages == Pages::swapped && kind == Kind::file) {
    field.refuse_expecting("absent, resident or cached: the pages of a file are never in swap");
  } else {
    return pages;
  }
  return Pages::absent;
}

void read_anon_vma(const std::optional<YamlField>& field, models::RegionSpec& region) {
  assign(region.shares_anon_vma, field, [](const YamlField& value) {
    return choice_of<bool>(value, {{"own", false}, {"shared", true}});
  });
  const bool faulted_in =
      region.kind == models::RegionSpec::Kind::anon && region.pages != models::RegionSpec::Pages::absent;
  if (region.shares_anon_vma && !faulted_in) {
    field->refuse(
        "only anonymous pages that have been faulted in have an anon_vma: use it with pages: resident or swapped");
  }
}

void read_locked(const std::optional<YamlField>& field, models::RegionSpec& region) {
  using Kind = models::RegionSpec::Kind;
  assign(region.locked, field, truth_of);
  const bool lockable = region.kind == Kind::anon || region.kind == Kind::file || region.kind == Kind::shmem;
  if (!region.locked || lockable) return;
  field->refuse_expecting("false: only anon, file and shmem regions are ever VM_LOCKED");
}

void read_written(const std::optional<YamlField>& field, std::optional<models::RegionSpec::Kind> kind,
                  models::RegionSpec& region) {
  using Kind = models::RegionSpec::Kind;
  assign(region.written, field, truth_of);
  if (!region.written || !kind || kind == Kind::file) return;
  region.written = false;
  field->refuse_expecting(region.kind == Kind::shmem ? "nothing: shmem is always written, and never written back"
                                                     : "false: only files are written back");
}

/// What reclaim tells apart is never one VMA.
bool may_be_joined(const models::RegionSpec& region) {
  return region.kind == models::RegionSpec::Kind::anon && !region.touched_every;
}

void read_beside(const std::optional<YamlField>& field, bool own_anon_vma, models::RegionSpec& region,
                 const std::vector<models::RegionSpec>& earlier) {
  const models::RegionSpec* const other = one_named(field, earlier, "a region of this process that stands before");
  if (other == nullptr) return;
  region.beside = other->name;
  const bool taken = std::any_of(earlier.begin(), earlier.end(),
                                 [&](const models::RegionSpec& each) { return each.beside == other->name; });
  if (taken) field->refuse(fmt::format("another region begins where '{}' ends already", other->name));
  if (!may_be_joined(region) || !may_be_joined(*other)) {
    field->refuse("only anonymous regions without touched_every can be joined: the others keep apart");
  }
  const auto faulted_in = [](const models::RegionSpec& each) {
    return each.pages != models::RegionSpec::Pages::absent;
  };
  region.joins_anon_vma = !own_anon_vma && faulted_in(region) && faulted_in(*other);
}

models::RegionSpec read_region(const YamlMap::Item& item, const std::vector<models::RegionSpec>& earlier,
                               MemoryReader& memory) {
  models::RegionSpec region;
  region.name = item.key;
  YamlMap map = item.value.map("a map such as {size: 1GiB, kind: anon}");
  const auto size = map.require("size");
  assign(region.size, size, whole_pages_of);
  const auto kind_field = map.find("kind");
  const auto kind = kind_field ? kind_of_region(*kind_field) : region.kind;
  region.kind = kind.value_or(region.kind);
  read_page_size(map.find("page_size"), kind_field.has_value(), region);
  const auto vmas = map.find("vmas");
  assign(region.vmas, vmas, count_up_to(kMostVmas));
  const auto whole = models::pages_of(region.size);
  if (whole.count() > 0 && region.vmas > whole.count()) {
    vmas->refuse_expecting(fmt::format("at most the region's {} pages", whole.count()));
  }
  const auto pages = map.find("pages");
  refuse_broken_pages(region, size, vmas);
  if (pages) region.pages = read_pages(*pages, kind ? std::optional(region.kind) : kind);
  const auto anon_vma = map.find("anon_vma");
  read_anon_vma(anon_vma, region);
  read_locked(map.find("locked"), region);
  read_written(map.find("written"), kind, region);
  if (const auto touched_every = map.find("touched_every")) {
    region.touched_every = positive_duration_of(*touched_every);
  }
  read_beside(map.find("beside"), anon_vma && !region.shares_anon_vma, region, earlier);
  map.refuse_unknown();
  if (kind) memory.place(region, size, pages);
  return region;
}

}  // namespace

std::vector<models::RegionSpec> read_regions(const YamlField& field, MemoryReader& memory) {
  std::vector<models::RegionSpec> regions;
  const YamlMap map = field.map("a map of regions, such as {heap: {size: 1GiB}}");
  for (const YamlMap::Item& item : map.items_called("region")) {
    check_name(map, item);
    regions.push_back(read_region(item, regions, memory));
  }
  return regions;
}

}  // namespace experiments
