// The regions of a process of a workload, as real mappings.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "models/spec/page.h"
#include "models/spec/scenario.h"

namespace probe {

/// Addresses are pages: that of an address divided by the page size.
struct Mapped {
  models::RegionSpec spec;
  models::PageIndex start;
  models::PageCount pages;
};

[[nodiscard]] char* address_of(models::PageIndex page);
[[nodiscard]] std::size_t size_of(models::PageCount pages);
[[nodiscard]] models::PageIndex page_of(const void* address);

/// Maps all regions: those that begin beside another at its end, each other one apart from all. Then touches and locks
/// what is resident and locked from the start. Nothing of it is unmapped: its process ends.
[[nodiscard]] std::map<std::string, Mapped> map_regions(const std::vector<models::RegionSpec>& regions);

/// Maps the VMAs of a region that is not there (any more), absent.
void map_again(const Mapped& region);
[[nodiscard]] bool is_mapped(models::PageIndex page);

/// A range that nobody else is given, with a page that nobody may use on either side. Not touched; of small pages.
[[nodiscard]] models::PageIndex reserve(models::PageCount pages, int protection);

}  // namespace probe
