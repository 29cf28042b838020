// Amounts and positions of memory, as types that do not mix by accident.
#pragma once

#include <compare>
#include <cstdint>

namespace models {

/// The size of a base page on x86-64 (PAGE_SIZE). Larger ones are folios of so many of them.
inline constexpr std::int64_t kPageSize = 4096;

/// A number of pages.
class PageCount {
 public:
  constexpr PageCount() = default;
  constexpr explicit PageCount(std::int64_t count) : count_(count) {}

  [[nodiscard]] constexpr std::int64_t count() const { return count_; }

  constexpr auto operator<=>(const PageCount&) const = default;
  constexpr PageCount& operator+=(PageCount other) {
    count_ += other.count_;
    return *this;
  }
  constexpr PageCount& operator-=(PageCount other) {
    count_ -= other.count_;
    return *this;
  }
  friend constexpr PageCount operator+(PageCount a, PageCount b) { return a += b; }
  friend constexpr PageCount operator-(PageCount a, PageCount b) { return a -= b; }

 private:
  std::int64_t count_ = 0;
};

/// The number of a virtual page: an address divided by the page size.
class PageIndex {
 public:
  constexpr PageIndex() = default;
  constexpr explicit PageIndex(std::int64_t index) : index_(index) {}

  [[nodiscard]] constexpr std::int64_t index() const { return index_; }

  constexpr auto operator<=>(const PageIndex&) const = default;
  friend constexpr PageIndex operator+(PageIndex page, PageCount count) {
    return PageIndex(page.index_ + count.count());
  }
  friend constexpr PageIndex operator-(PageIndex page, PageCount count) {
    return PageIndex(page.index_ - count.count());
  }
  friend constexpr PageCount operator-(PageIndex a, PageIndex b) { return PageCount(a.index_ - b.index_); }

 private:
  std::int64_t index_ = 0;
};

/// Pages under one page table (PTRS_PER_PTE on x86-64): what a walk does becomes visible to others so many at a time.
inline constexpr PageCount kPagesPerTable{512};

/// Where the page table that has the entry of `page` begins, and the first page beyond it.
constexpr PageIndex start_of_table(PageIndex page) {
  return PageIndex(page.index() / kPagesPerTable.count() * kPagesPerTable.count());
}
constexpr PageIndex end_of_table(PageIndex page) { return start_of_table(page) + kPagesPerTable; }

/// Orders of folios on x86-64: what one entry of a PMD (HPAGE_PMD_ORDER) or of a PUD maps.
inline constexpr int kPmdOrder = 9;
inline constexpr int kPudOrder = 18;

constexpr PageCount pages_of_order(int order) { return PageCount(std::int64_t{1} << order); }

/// What a page is a part of (struct folio): 2^order pages, at a multiple of their number.
struct Folio {
  std::uint8_t order = 0;
  bool whole = false;  ///< one entry maps all of it; otherwise each of its pages has an entry

  [[nodiscard]] constexpr PageCount pages() const { return pages_of_order(order); }
  /// Where the one that `page` is in begins.
  [[nodiscard]] constexpr PageIndex start(PageIndex page) const { return PageIndex(page.index() >> order << order); }
  [[nodiscard]] constexpr PageIndex end(PageIndex page) const { return start(page) + pages(); }
  /// Where the first one begins that does so at `page` or behind it.
  [[nodiscard]] constexpr PageIndex first_from(PageIndex page) const { return start(page + pages() - PageCount(1)); }
  bool operator==(const Folio&) const = default;
};

/// One of 2^order pages as a fault maps it: by one entry where there is one that large.
constexpr Folio folio_of(int order) { return {static_cast<std::uint8_t>(order), order >= kPmdOrder}; }

/// Where a page of an address space is.
enum class PageState : std::uint8_t {
  absent,    ///< never touched, or unmapped; of a file: not in memory
  resident,  ///< mapped, on an evictable LRU list
  mlocked,   ///< mapped, on the unevictable list
  cached,    ///< in memory, on an evictable LRU list, but not mapped: page cache, or swap cache
  swapped,   ///< swapped out
};

/// pte_present.
constexpr bool is_present(PageState state) { return state == PageState::resident || state == PageState::mlocked; }

/// A number of bytes.
class Bytes {
 public:
  constexpr Bytes() = default;
  constexpr explicit Bytes(std::int64_t count) : count_(count) {}

  [[nodiscard]] constexpr std::int64_t count() const { return count_; }
  constexpr auto operator<=>(const Bytes&) const = default;

 private:
  std::int64_t count_ = 0;
};

/// The pages that hold `bytes`, the last one perhaps in part (PAGE_ALIGN).
constexpr PageCount pages_of(Bytes bytes) { return PageCount((bytes.count() + kPageSize - 1) / kPageSize); }

constexpr Bytes bytes_of(PageCount pages) { return Bytes(pages.count() * kPageSize); }

}  // namespace models
