#include "models/workload/workload.h"

namespace models {

Region region_at(const RegionSpec& spec, PageIndex start) {
  Region region{start, pages_of(spec.size), spec.vmas, {}};
  region.flags.dontexpand = spec.kind == RegionSpec::Kind::special;
  region.flags.hugetlb = spec.kind == RegionSpec::Kind::hugetlb;
  region.flags.io_pfnmap = spec.kind == RegionSpec::Kind::io;
  return region;
}

RegionPiece piece_of(const Region& region, int index) {
  const PageCount each(region.pages.count() / region.vmas);
  const PageIndex start = region.start + PageCount(each.count() * index);
  RegionPiece piece{start, index + 1 == region.vmas ? region.start + region.pages : start + each, region.flags};
  piece.flags.readonly = index % 2 == 1;
  return piece;
}

}  // namespace models
