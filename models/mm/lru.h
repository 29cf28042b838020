// The lists that reclaim scans: anonymous and file pages, active and inactive, in the order of their age.
//
// Kernel. struct lruvec, include/linux/mmzone.h and mm_inline.h; the unevictable list is not scanned and therefore only
// counted (models/mm/page_alloc.h). Pages come in runs of pages that are alike, so that a list takes memory for what
// has happened to it, not for its length. Within a run the lower address is the older page. Validated by
// tests/models/mm/lru_test.cpp: against lists of single pages, on random histories.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "models/spec/page.h"
#include "sim/time.h"

namespace models {

enum class LruList { inactive_anon, active_anon, inactive_file, active_file };

inline constexpr std::size_t kLruLists = 4;

constexpr bool is_file(LruList list) { return list == LruList::inactive_file || list == LruList::active_file; }
constexpr bool is_active(LruList list) { return list == LruList::active_anon || list == LruList::active_file; }
constexpr LruList inactive_of(bool file) { return file ? LruList::inactive_file : LruList::inactive_anon; }
constexpr LruList active_of(bool file) { return file ? LruList::active_file : LruList::active_anon; }

/// Whose pages they are: a number that the zone gives out (Zone::add_owner).
using OwnerId = std::int32_t;

/// Which lists a page is on: 0 for those of no group, else its group's (models/mm/memcontrol.h).
using Lruvec = int;

/// Neighbours on a list that are alike.
struct LruRun {
  OwnerId owner = 0;
  bool addressed = false;   ///< its pages are known by address; otherwise `start` means nothing
  bool young = false;       ///< the accessed bits are set: touched since reclaim last looked
  bool referenced = false;  ///< PG_referenced: reclaim has found them touched once
  bool clean = false;       ///< nothing to write, whatever the owner's pages are otherwise
  PageIndex start{};
  PageCount pages{};
  sim::Time since{};  ///< when reclaim last looked at the oldest of them, or it came here

  bool operator==(const LruRun&) const = default;
};

class Lru {
 public:
  Lru();
  Lru(const Lru&) = delete;
  Lru& operator=(const Lru&) = delete;
  ~Lru();

  /// Runs that come to a list within this time of each other are of one age.
  static constexpr sim::Nanoseconds kSameAge{10'000'000};

  [[nodiscard]] PageCount size(LruList list) const { return lists_[index(list)].size; }

  /// Puts `run` at the young end of `list`. Precondition: none of its addresses is on a list of its owner.
  void add(LruList list, const LruRun& run);
  /// Puts it at the old end, where it is looked at next (rotate_reclaimable_page).
  void add_tail(LruList list, const LruRun& run);
  /// Takes up to `most` (> 0) pages that are alike from the old end. Precondition: the list is not empty.
  LruRun isolate(LruList list, PageCount most);
  /// Takes those pages of [start, end) of `owner` that are on a list off it; returns how many of each list.
  std::array<PageCount, kLruLists> remove(OwnerId owner, PageIndex start, PageIndex end);

  /// How many runs there are: what the lists take memory for.
  [[nodiscard]] std::size_t runs() const;

 private:
  /// Runs cut from one keep its sequence number, and so their place.
  struct Key {
    std::int64_t sequence;
    std::int64_t start;
    auto operator<=>(const Key&) const = default;
  };
  struct List {
    std::map<Key, LruRun> runs;  // the oldest first
    PageCount size;
  };
  struct Place {
    LruList list{};
    std::int64_t sequence = 0;  // of no run
    bool operator==(const Place&) const = default;
  };
  struct Places;  // runs of pages in one place: a header that is heavy

  static std::size_t index(LruList list) { return static_cast<std::size_t>(list); }
  Places& places(OwnerId owner);
  void insert(LruList list, std::int64_t sequence, const LruRun& run);
  bool extend(LruList list, const LruRun& run);
  void cut(List& list, std::int64_t sequence, std::int64_t start, std::int64_t end);

  std::array<List, kLruLists> lists_;
  std::vector<Places> places_;  // by owner
  std::int64_t youngest_ = 0;
  std::int64_t oldest_ = 0;
};

}  // namespace models
