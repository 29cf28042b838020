#include <algorithm>
#include <memory>
#include <optional>

#include "models/mm/exit_mmap.h"
#include "models/mm/mm.h"
#include "models/mm/userfaultfd.h"
#include "models/workload/calls.h"
#include "models/workload/competitors.h"

namespace models {

namespace {

// The descriptor of the class of `current`, which its first thread makes. Its number among those of `mm`, from 1.
int descriptor_of(const Task& current, Mm& mm) {
  auto& all = mm.userfaultfds;
  const auto own =
      std::find_if(all.begin(), all.end(), [&](const auto& each) { return each->owner() == current.class_id(); });
  const auto before = static_cast<int>(own - all.begin());
  if (own == all.end()) all.push_back(std::make_shared<Userfaultfd>(current.class_id()));
  return before + 1;
}

class Monitor {
 public:
  Monitor(Task& current, const Workplace& at, const UserfaultSpec& spec)
      : current_(current),
        at_(at),
        spec_(spec),
        region_(at.regions.at(spec.region)),
        source_(spec.move_from.empty() ? nullptr : &at.regions.at(spec.move_from)),
        number_(descriptor_of(current, at.mm)),
        descriptor_(at.mm.userfaultfds.at(static_cast<std::size_t>(number_ - 1))),
        to_push_(spec.push && current.member() == 0 ? region_.start : end()) {}

  void register_region() {
    if (!get_task_mm(at_.mm)) return;
    time_call(current_, at_.calls["UFFDIO_REGISTER"], region_.pages, Phase::user,
              [&] { return userfaultfd_register(current_, at_.mm, region_.start, region_.pages, number_); });
    mmput(current_, at_.mm);
  }

  // The next piece, missed or to be pushed. Returns false when the process has gone.
  bool serve() {
    const std::optional<PageIndex> missed = descriptor_->read(current_, next_push());
    const PageIndex piece = missed ? piece_at(*missed) : to_push_;
    if (missed) {
      current_.sleep_until(current_.settle() + spec_.fetch.sample(current_.stream(Purpose::demand)));
    } else {
      to_push_ = end_of(piece);
      push_due_.reset();
    }
    if (!get_task_mm(at_.mm)) return false;
    fill_in(piece);
    mmput(current_, at_.mm);
    current_.enter(Phase::user);
    return true;
  }

 private:
  [[nodiscard]] PageIndex end() const { return region_.start + region_.pages; }
  [[nodiscard]] PageIndex piece_at(PageIndex page) const {
    const PageCount size = pages_of(spec_.size);
    return region_.start + PageCount((page - region_.start).count() / size.count() * size.count());
  }
  [[nodiscard]] PageIndex end_of(PageIndex piece) const { return std::min(end(), piece + pages_of(spec_.size)); }

  // When the next piece is to be pushed that has a page missing; none: when none has.
  std::optional<sim::Time> next_push() {
    current_.settle();
    const auto first = first_missing(to_push_, end());
    to_push_ = first ? piece_at(first->start) : end();
    if (!first) return std::nullopt;
    if (!push_due_) push_due_ = current_.now() + spec_.push->sample(current_.stream(Purpose::demand));
    return push_due_;
  }

  struct Stretch {
    PageIndex start;
    PageIndex end;
  };

  // The first stretch of one VMA that is absent, and that is this monitor's to fill in.
  [[nodiscard]] std::optional<Stretch> first_missing(PageIndex from, PageIndex to) const {
    for (PageIndex page = from; page < to;) {
      const VmaPointer vma = at_.mm.find_vma(page);
      if (vma == nullptr || vma->start >= to) return std::nullopt;
      const PageIndex stop = std::min(vma->end, to);
      page = std::max(page, vma->start);
      const PageTable::Run run = at_.mm.page_table.run_at(page, stop);
      const bool registered = vma->flags.userfaultfd == number_;
      if (registered && run.state == PageState::absent) return Stretch{page, run.end};
      page = registered ? run.end : stop;
    }
    return std::nullopt;
  }

  // Each stretch of it that is missing. Where nothing is, somebody may still wait: UFFDIO_WAKE.
  void fill_in(PageIndex piece) {
    const PageIndex stop = end_of(piece);
    PageIndex next = piece;
    while (const auto missing = first_missing(next, stop)) {
      const auto [error, end] = fill_in_stretch(missing->start, missing->end);
      if (error != 0) break;
      next = end;
    }
    descriptor_->wake(current_, piece, stop);
  }

  struct FilledIn {
    int error;
    PageIndex end;  // as far as one call goes
  };

  FilledIn fill_in_stretch(PageIndex start, PageIndex stop) {
    const PageCount offset = start - region_.start;
    const bool has_place = source_ != nullptr && offset < source_->pages;
    const PageIndex from = has_place ? source_->start + offset : start;
    const PageIndex from_stop = has_place ? std::min(from + (stop - start), source_->start + source_->pages) : stop;
    const PageTable::Run there = at_.mm.page_table.run_at(from, from_stop);
    const bool moves = has_place && there.state != PageState::absent;
    const PageCount pages = there.end - from;
    if (moves && move(start, from, pages) == 0) return {0, start + pages};
    return {copy(start, pages), start + pages};  // what cannot be moved, too
  }

  int move(PageIndex start, PageIndex from, PageCount pages) {
    return time_call(current_, at_.calls["UFFDIO_MOVE"], pages, Phase::user,
                     [&] { return userfaultfd_move(current_, at_.mm, start, from, pages, number_); });
  }

  int copy(PageIndex start, PageCount pages) {
    return time_call(current_, at_.calls["UFFDIO_COPY"], pages, Phase::user,
                     [&] { return userfaultfd_copy(current_, at_.mm, start, pages, number_); });
  }

  Task& current_;
  const Workplace& at_;
  const UserfaultSpec& spec_;
  const Region& region_;
  const Region* source_;
  int number_;
  std::shared_ptr<Userfaultfd> descriptor_;
  PageIndex to_push_;
  std::optional<sim::Time> push_due_;
};

}  // namespace

void run(Task& current, const Workplace& at, const UserfaultSpec& spec) {
  Monitor monitor(current, at, spec);
  if (current.member() == 0) monitor.register_region();
  while (monitor.serve()) {
  }
}

}  // namespace models
