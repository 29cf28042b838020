// Address spaces written as text, for tests of the paths that change them: "10-20 20-30L" are two VMAs, the second
// with VM_LOCKED. Letters: L locked, I VM_IO, D VM_DONTEXPAND, H hugetlb, G gate, R readonly, S stack (VM_GROWSDOWN),
// A VM_RAND_READ (any order), Q VM_SEQ_READ, N VM_DONTCOPY,
// M VM_SHARED.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <sstream>
#include <string>

#include "models/mm/mm.h"
#include "models/mm/rmap.h"
#include "tests/support/small_machine.h"

namespace tests {

inline constexpr models::PageIndex kEndOfSpace{1'000'000'000};

/// Brings the pages of [start, end), absent so far, to `state`.
inline void make_present(SmallMachine& world, std::int64_t start, std::int64_t end, models::PageState state) {
  models::Kernel& kernel = world.kernel;
  kernel.zone.move(&models::ZoneCounts::free, &models::ZoneCounts::in_flight, models::PageCount(end - start), {});
  models::change_pages(kernel, world.mm, models::PageIndex(start), models::PageIndex(end), models::PageState::absent,
                       state);
}
inline void make_resident(SmallMachine& world, std::int64_t start, std::int64_t end) {
  make_present(world, start, end, models::PageState::resident);
}

/// A VMA; if it is locked, with its pages mlocked and counted.
inline void add_vma(SmallMachine& world, std::int64_t start, std::int64_t end, models::VmFlags flags) {
  world.mm.insert_vma(models::PageIndex(start), models::PageIndex(end), flags);
  if (!flags.locked) return;
  world.mm.locked_vm += models::PageCount(end - start);
  make_present(world, start, end, models::PageState::mlocked);
}

inline void make_map(SmallMachine& world, const std::string& text) {
  std::istringstream words(text);
  std::int64_t start = 0;
  std::int64_t end = 0;
  char dash = 0;
  while (words >> start >> dash >> end) {
    std::string letters;
    if (words.peek() != ' ' && words.peek() != EOF) words >> letters;
    const auto has = [&](char letter) { return letters.find(letter) != std::string::npos; };
    add_vma(world, start, end,
            {.locked = has('L'),
             .io_pfnmap = has('I'),
             .dontexpand = has('D'),
             .hugetlb = has('H'),
             .gate = has('G'),
             .readonly = has('R'),
             .growsdown = has('S'),
             .read_ahead = has('A')   ? models::ReadAhead::random
                           : has('Q') ? models::ReadAhead::sequential
                                      : models::ReadAhead::normal,
             .dontfork = has('N'),
             .shared = has('M')});
  }
}

inline std::string map_of(const models::Mm& mm) {
  std::string text;
  for (models::VmaPointer vma = mm.find_vma(models::PageIndex(0)); vma != nullptr; vma = mm.next(*vma)) {
    if (!text.empty()) text += " ";
    text += std::to_string(vma->start.index()) + "-" + std::to_string(vma->end.index());
    if (vma->flags.locked) text += "L";
    if (vma->flags.io_pfnmap) text += "I";
    if (vma->flags.dontexpand) text += "D";
    if (vma->flags.hugetlb) text += "H";
    if (vma->flags.gate) text += "G";
    if (vma->flags.readonly) text += "R";
    if (vma->flags.growsdown) text += "S";
    if (vma->flags.read_ahead == models::ReadAhead::random) text += "A";
    if (vma->flags.read_ahead == models::ReadAhead::sequential) text += "Q";
    if (vma->flags.dontfork) text += "N";
    if (vma->flags.shared) text += "M";
  }
  return text;
}

inline models::PageCount locked_pages_of(const models::Mm& mm) {
  models::PageCount pages;
  for (models::VmaPointer vma = mm.find_vma(models::PageIndex(0)); vma != nullptr; vma = mm.next(*vma)) {
    if (vma->flags.locked) pages += vma->pages();
  }
  return pages;
}

/// The page table has so many pages in each state (`cached` besides, in the page cache only), the zone says the same,
/// no page is lost, and locked_vm is right.
inline void check_pages(const SmallMachine& world, models::PageCount mlocked, models::PageCount resident,
                        models::PageCount cached = {}) {
  const models::PageTable& table = world.mm.page_table;
  const models::ZoneCounts& counts = world.kernel.zone.counts();
  EXPECT_EQ(table.count({}, kEndOfSpace, models::PageState::mlocked).count(), mlocked.count());
  EXPECT_EQ(table.count({}, kEndOfSpace, models::PageState::resident).count(), resident.count());
  EXPECT_EQ(counts.unevictable.count(), mlocked.count());
  EXPECT_EQ(counts.evictable().count(), (resident + cached).count());
  EXPECT_EQ(counts.in_flight.count(), 0);
  EXPECT_EQ(counts.total().count(), models::pages_of(world.spec.memory.size).count());
  EXPECT_EQ(world.mm.locked_vm.count(), locked_pages_of(world.mm).count());
}

}  // namespace tests
