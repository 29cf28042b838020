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
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "models/spec/machine.h"
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

/// MIN_NR_GENS and MAX_NR_GENS (include/linux/mmzone.h).
inline constexpr std::int64_t kMinNrGens = 2;
inline constexpr std::int64_t kMaxNrGens = 4;

/// Which generations there are of anonymous pages [0] and of files [1]: from min_seq, the oldest, to max_seq.
struct Generations {
  std::int64_t max_seq = kMinNrGens + 1;
  std::array<std::int64_t, 2> min_seq{};

  /// get_nr_gens.
  [[nodiscard]] std::int64_t count(bool file) const { return max_seq - min_seq[file] + 1; }
  bool operator==(const Generations&) const = default;
};

class Lru {
 public:
  explicit Lru(ReclaimKind kind = ReclaimKind::classic);
  Lru(const Lru&) = delete;
  Lru& operator=(const Lru&) = delete;
  ~Lru();

  /// Runs that come to a list within this time of each other are of one age.
  static constexpr sim::Nanoseconds kSameAge{10'000'000};

  /// With generations: of those that count as `list`.
  [[nodiscard]] PageCount size(LruList list) const;

  /// Puts `run` at the young end of `list`; returns the list that it then counts on. With generations, of what `list`
  /// says of it. Precondition: none of its addresses is on a list of its owner.
  LruList add(LruList list, const LruRun& run);
  /// Puts it at the old end, where it is looked at next (rotate_reclaimable_page).
  LruList add_tail(LruList list, const LruRun& run);
  /// Takes up to `most` (> 0) pages that are alike from the old end. Preconditions: the list is not empty; no
  /// generations.
  LruRun isolate(LruList list, PageCount most);
  /// Takes those pages of [start, end) of `owner` that are on a list off it; returns how many of each list.
  std::array<PageCount, kLruLists> remove(OwnerId owner, PageIndex start, PageIndex end);

  /// How many runs there are: what the lists take memory for.
  [[nodiscard]] std::size_t runs() const;

  // The rest is for generations only.

  [[nodiscard]] const Generations& generations() const { return *generations_; }
  /// How many pages are in the generation `seq`, which there is.
  [[nodiscard]] PageCount size(bool file, std::int64_t seq) const { return lists_[slot(file, seq)].size; }
  /// As isolate, from the oldest generation. Precondition: it is not empty.
  LruRun isolate_oldest(bool file, PageCount most);
  /// folio_inc_gen: puts `run`, which was in the oldest generation, into the next one; returns what it counts on.
  LruList protect(bool file, const LruRun& run);
  /// try_to_inc_min_seq: passes over generations that are empty, as long as there are MIN_NR_GENS; without swap those
  /// of files only. Returns whether there were any of a type that can be evicted.
  bool try_to_inc_min_seq(bool can_swap);
  /// inc_max_seq: a new generation, the youngest. Where there are MAX_NR_GENS already the oldest joins the next one
  /// (inc_min_seq); of anonymous pages that cannot be swapped it becomes the youngest. Returns how many pages joined.
  PageCount inc_max_seq(bool can_swap);

  /// The parts of [start, end) of `owner` that are on a list, by address.
  [[nodiscard]] std::vector<LruRun> runs_in(OwnerId owner, PageIndex start, PageIndex end) const;
  /// Those of [start, end) that are on a list have been looked at, and not been touched since they last were.
  void looked_at(OwnerId owner, PageIndex start, PageIndex end, sim::Time now);
  /// Of each run without addresses that is not in the youngest generation: so many as `touched` says go there, the
  /// others have been looked at. Returns how many have left each list, and what they are.
  struct Promoted {
    std::array<PageCount, kLruLists> from{};
    std::vector<LruRun> runs;
  };
  Promoted take_touched(bool file, sim::Time now, const std::function<PageCount(const LruRun&)>& touched);

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
    std::size_t slot = 0;
    std::int64_t sequence = 0;  // of no run
    bool operator==(const Place&) const = default;
  };
  struct Places;  // runs of pages in one place: a header that is heavy

  static std::size_t slot(bool file, std::int64_t seq) {
    return static_cast<std::size_t>((file ? kMaxNrGens : 0) + seq % kMaxNrGens);
  }
  [[nodiscard]] std::size_t slot(LruList list) const;
  [[nodiscard]] std::size_t oldest_slot(LruList list) const;
  [[nodiscard]] LruList counts_on(std::size_t slot) const;
  LruList add_to(std::size_t slot, const LruRun& run);
  LruRun isolate_from(std::size_t slot, PageCount most);
  Places& places(OwnerId owner);
  void insert(std::size_t slot, std::int64_t sequence, const LruRun& run);
  bool extend(std::size_t slot, const LruRun& run);
  static LruRun cut(List& list, std::int64_t sequence, PageIndex start, PageIndex end);
  static void put_back(List& list, std::int64_t sequence, const LruRun& run);
  PageCount join_oldest_to_next(bool file);

  std::optional<Generations> generations_;
  std::array<List, 2 * kMaxNrGens> lists_;  // by LruList, or anonymous pages' generations and those of files
  std::vector<Places> places_;              // by owner
  std::int64_t youngest_ = 0;
  std::int64_t oldest_ = 0;
};

}  // namespace models
