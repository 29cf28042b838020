#include "models/workload/workload.h"

namespace models {

int folio_order_of(const RegionSpec& spec, Thp thp) {
  return spec.folio_order.value_or(thp == Thp::always ? kPmdOrder : 0);
}

Region region_at(const RegionSpec& spec, PageIndex start, Thp thp) {
  Region region{start, pages_of(spec.size), spec.vmas, {}};
  region.flags.dontexpand = spec.kind == RegionSpec::Kind::special;
  region.flags.hugetlb = spec.kind == RegionSpec::Kind::hugetlb;
  region.flags.io_pfnmap = spec.kind == RegionSpec::Kind::io;
  region.flags.shared = spec.kind == RegionSpec::Kind::shmem || spec.written;
  region.flags.folio_order = folio_order_of(spec, thp);
  region.flags.hugepage = spec.kind == RegionSpec::Kind::anon && spec.folio_order.value_or(0) > 0;
  return region;
}

RegionPiece piece_of(const Region& region, int index) {
  const PageCount each(region.pages.count() / region.vmas);
  const PageIndex start = region.start + PageCount(each.count() * index);
  RegionPiece piece{start, index + 1 == region.vmas ? region.start + region.pages : start + each, region.flags};
  piece.flags.readonly = index % 2 == 1;
  return piece;
}

PageIndex make_arena(Mm& mm) {
  const PageIndex arena = mm.get_unmapped_area(PageCount(1));
  mm.anon_vma_prepare(*mm.insert_vma(arena, arena + PageCount(1), VmFlags{}));
  return arena;
}

PageIndex place_to_move_to(Mm& mm, const Region& region, PageCount pages, bool aligned) {
  const PageIndex area = mm.get_unmapped_area(pages + kPagesPerTable);
  const std::int64_t table = kPagesPerTable.count();
  const std::int64_t shift = (region.start.index() - area.index()) % table;
  const std::int64_t alike = shift < 0 ? shift + table : shift;
  const PageIndex place = area + PageCount(aligned ? alike : (alike + 1) % table);
  mm.set_owner(place, place + pages, mm.owner_of(region.start));
  return place;
}

}  // namespace models
