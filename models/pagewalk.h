// The walk over the present pages of a range, one page table at a time.
//
// Kernel. mm/pagewalk.c, walk_page_range, as munlock and zap use it: absent entries are skipped, each present page
// costs its step. Simplified. Skipping absent entries is free; lock_page never has to wait.
#pragma once

#include "models/page.h"
#include "models/page_table.h"
#include "sim/distribution.h"

namespace models {

class Mm;
class Task;

/// Brings every present page of [start, end) into the state `to`, moving it to the list where such pages are;
/// `cost` is drawn for each page. What is done becomes visible to others one page table (512 pages) at a time.
void walk_page_range(Task& current, Mm& mm, PageIndex start, PageIndex end, PageState to, const sim::Distribution& cost);

}  // namespace models
