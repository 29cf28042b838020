#include "models/workload/workload.h"

#include <boost/random/uniform_int_distribution.hpp>

#include <algorithm>

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

namespace {

// Where the part of `member` begins, in pages.
PageCount part_of(PageCount pages, int member, int threads) { return PageCount(pages.count() * member / threads); }

}  // namespace

Pieces::Pieces(const Region& region, PageCount size, const Visits& visits, int member, int threads)
    : visits_(visits), start_(region.start), pages_(region.pages), size_(size) {
  if (!visits.share_each) return;
  const PageCount begin = part_of(region.pages, member, threads);
  start_ = region.start + begin;
  pages_ = part_of(region.pages, member + 1, threads) - begin;
}

Pieces::Piece Pieces::next(sim::Stream& chance) {
  const PageCount size = std::min(size_, pages_);
  switch (visits_.place) {
    case Visits::Place::in_turn:
      return next_in_turn();
    case Visits::Place::random: {
      const boost::random::uniform_int_distribution<std::int64_t> place(0, pages_.count() / size.count() - 1);
      return {start_ + PageCount(place(chance) * size.count()), size};
    }
    case Visits::Place::start:
      break;
  }
  return {start_, size};
}

Pieces::Piece Pieces::next_in_turn() {
  const Piece piece{start_ + offset_, std::min(size_, pages_ - offset_)};
  offset_ += piece.pages;
  if (offset_ < pages_) return piece;
  offset_ = PageCount(0);
  ++rounds_;
  return piece;
}

RegionPiece piece_of(const Region& region, int index) {
  const PageCount each(region.pages.count() / region.vmas);
  const PageIndex start = region.start + PageCount(each.count() * index);
  RegionPiece piece{start, index + 1 == region.vmas ? region.start + region.pages : start + each, region.flags};
  piece.flags.readonly = index % 2 == 1;
  return piece;
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
