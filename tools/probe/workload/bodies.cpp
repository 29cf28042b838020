// What each kind of thread does for real: the calls that models/workload/ makes of the simulated kernel.
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/random/uniform_int_distribution.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>

#include "models/spec/competitors.h"
#include "models/workload/pieces.h"
#include "tools/probe/workload/worker.h"

namespace probe {

namespace {

using models::PageCount;
using models::PageIndex;
using models::Pieces;
using Body = std::function<void()>;

const Mapped& region_of(const Worker& worker, const std::string& name) { return worker.process().regions.at(name); }

Pieces pieces_of(const Worker& worker, const Mapped& region, models::Bytes size, const models::Visits& visits) {
  return {region.start, region.pages, models::pages_of(size), visits, worker.member(), worker.spec().count};
}

// A page of the region, any of them.
struct AnyPage {
  PageIndex start;
  boost::random::uniform_int_distribution<std::int64_t> offset;

  AnyPage(const Mapped& region, PageCount pages) : start(region.start), offset(0, (region.pages - pages).count()) {}
  PageIndex operator()(sim::Stream& chance) const { return start + PageCount(offset(chance)); }
};

int open_for(const char* file, int flags) {
  const int descriptor = open(file, flags | O_CLOEXEC);
  check(descriptor, file);
  return descriptor;
}

// --- faulters ---------------------------------------------------------------------------------------------------

/// An allocator's memory that is faulted in page by page. When it has come to its end it is given back, a little at a
/// time so that nobody waits for it.
class Arena {
 public:
  explicit Arena(PageCount pages) : start_(reserve(pages, kReadWrite)), pages_(pages) {
    // Once, so that a hypervisor has backed it, and page tables and the anon_vma are there.
    for (PageCount page; page < pages_; page += PageCount(1)) address_of(start_ + page)[0] = 1;
    give_back(start_, pages_);
  }
  char* fresh_page() {
    if (next_ == pages_) {
      for (PageCount page; page < pages_; page += kPiece) {
        give_back(start_ + page, std::min(kPiece, pages_ - page));
      }
      next_ = PageCount(0);
    }
    char* const page = address_of(start_ + next_);
    next_ += PageCount(1);
    return page;
  }

 private:
  static constexpr PageCount kPiece{64};
  static void give_back(PageIndex start, PageCount pages) {
    check(madvise(address_of(start), size_of(pages), MADV_DONTNEED), "madvise");
  }

  PageIndex start_;
  PageCount pages_;
  PageCount next_;
};

// A write to a page: in the program, or in the kernel by way of read().
class Touch {
 public:
  explicit Touch(models::FaultMode mode)
      : zero_(mode == models::FaultMode::kernel ? open_for("/dev/zero", O_RDONLY) : -1) {}
  void operator()(char* page) const {
    if (zero_ < 0) {
      *static_cast<volatile char*>(page) = 1;
    } else {
      (void)!read(zero_, page, 1);
    }
  }

 private:
  int zero_;
};

Body body(Worker& worker, const models::FaulterSpec& spec) {
  const Touch touch(spec.by);
  if (spec.region) {
    const AnyPage any(region_of(worker, *spec.region), PageCount(1));
    return [&worker, &spec, touch, any] {
      worker.make_requests(spec.arrival, [&] { touch(address_of(any(worker.pages()))); });
    };
  }
  auto arena = std::make_shared<Arena>(worker.process().arena);
  return [&worker, &spec, touch, arena] { worker.make_requests(spec.arrival, [&] { touch(arena->fresh_page()); }); };
}

// --- readers of others ------------------------------------------------------------------------------------------

const SharedProcess& process_named(Worker& worker, const std::string& name) {
  const SharedProcess& target =
      worker.process().shared.processes.at(static_cast<std::size_t>(worker.process().numbers.at(name)));
  worker.look_at(target);
  return target;
}

Body body(Worker& worker, const models::ProcReaderSpec& spec) {
  const SharedProcess& target = process_named(worker, spec.target);
  auto buffer = std::make_shared<std::vector<char>>(std::size_t{1} << 17U, 'x');
  const bool clears = spec.file == models::ProcReaderSpec::File::clear_refs;
  return [&worker, &spec, &target, buffer, clears] {
    const std::string file = "/proc/" + std::to_string(target.pid) + "/" + std::string(to_string(spec.file));
    worker.make_requests(spec.arrival, [&] {
      const int descriptor = open_for(file.c_str(), clears ? O_WRONLY : O_RDONLY);
      if (clears) {
        (void)!write(descriptor, "1", 1);
      } else {
        while (read(descriptor, buffer->data(), buffer->size()) > 0) {
        }
      }
      close(descriptor);
    });
  };
}

Body body(Worker& worker, const models::RemoteReaderSpec& spec) {
  const SharedProcess& target = process_named(worker, spec.target);
  auto buffer = std::make_shared<std::vector<char>>(size_of(spec.pages), 'x');
  return [&worker, &spec, &target, buffer] {
    // Where it lies, and how large it is, is for its process to say, which is ready by now.
    const PageIndex start(target.first_region);
    const PageCount all(target.first_region_pages);
    const PageCount pages = std::min(spec.pages, all);
    const boost::random::uniform_int_distribution<std::int64_t> offset(0, (all - pages).count());
    worker.make_requests(spec.arrival, [&] {
      const iovec here{buffer->data(), size_of(pages)};
      const iovec there{address_of(start + PageCount(offset(worker.pages()))), size_of(pages)};
      (void)!process_vm_readv(target.pid, &here, 1, &there, 1, 0);
    });
  };
}

// --- writers ----------------------------------------------------------------------------------------------------

void map_anew(PageIndex start, PageCount pages, int flags) {
  (void)mmap(address_of(start), size_of(pages), kReadWrite, flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

void unmap(PageIndex start, PageCount pages) { (void)munmap(address_of(start), size_of(pages)); }

Body map_in_region(Worker& worker, const models::MapperSpec& spec) {
  const Mapped& region = region_of(worker, *spec.region);
  const int sharing = region.spec.kind == models::RegionSpec::Kind::shmem ? MAP_SHARED : MAP_PRIVATE;
  const int flags = sharing | MAP_FIXED | (spec.populate ? MAP_POPULATE : 0);
  return [&worker, &spec, &region, flags] {
    Pieces pieces = pieces_of(worker, region, spec.size, spec.visits);
    const bool by_coin = spec.visits.place == models::Visits::Place::random;
    const boost::random::uniform_int_distribution<int> coin(0, 1);
    worker.make_requests(spec.arrival, [&] {
      const bool first_round = pieces.rounds() % 2 == 0;
      const Pieces::Piece piece = pieces.next(worker.demand());
      if (by_coin ? coin(worker.demand()) == 1 : first_round) {
        map_anew(piece.start, piece.pages, flags);
      } else {
        unmap(piece.start, piece.pages);
      }
      return pieces.more();
    });
  };
}

Body body(Worker& worker, const models::MapperSpec& spec) {
  if (spec.region) return map_in_region(worker, spec);
  const PageCount pages = models::pages_of(spec.size);
  const PageIndex place = reserve(pages, PROT_NONE);
  unmap(place, pages);  // a hole of its own, to be asked for by its address
  return [&worker, &spec, pages, place] {
    bool map = false;
    worker.make_requests(spec.arrival, [&] {
      map = !map;
      if (map) {
        map_anew(place, pages, MAP_PRIVATE | (spec.populate ? MAP_POPULATE : 0));
      } else {
        unmap(place, pages);
      }
    });
  };
}

int number_of(models::Advice advice) {
  using models::Advice;
  switch (advice) {
    case Advice::normal:
      return MADV_NORMAL;
    case Advice::random:
      return MADV_RANDOM;
    case Advice::sequential:
      return MADV_SEQUENTIAL;
    case Advice::dontfork:
      return MADV_DONTFORK;
    case Advice::dofork:
      return MADV_DOFORK;
    case Advice::hugepage:
      return MADV_HUGEPAGE;
    case Advice::nohugepage:
      return MADV_NOHUGEPAGE;
    case Advice::willneed:
      return MADV_WILLNEED;
    case Advice::dontneed:
      return MADV_DONTNEED;
    case Advice::dontneed_locked:
      return 24;  // MADV_DONTNEED_LOCKED, 5.18
    case Advice::populate_read:
      return 22;  // MADV_POPULATE_READ, 5.14
    case Advice::populate_write:
      return 23;  // MADV_POPULATE_WRITE, 5.14
    case Advice::collapse:
      return 25;  // MADV_COLLAPSE, 6.1
    case Advice::free:
      return MADV_FREE;
    case Advice::cold:
      return MADV_COLD;
    case Advice::pageout:
      return MADV_PAGEOUT;
    case Advice::remove:
      return MADV_REMOVE;
  }
  return -1;
}

Body body(Worker& worker, const models::MadviserSpec& spec) {
  const Mapped& region = region_of(worker, spec.region);
  return [&worker, &spec, &region] {
    Pieces pieces = pieces_of(worker, region, spec.size, spec.visits);
    worker.make_requests(spec.arrival, [&] {
      const models::Advice advice = pieces.rounds() % 2 == 0 ? spec.advice : opposite_of(spec.advice);
      const Pieces::Piece piece = pieces.next(worker.demand());
      (void)madvise(address_of(piece.start), size_of(piece.pages), number_of(advice));
      return pieces.more();
    });
  };
}

Body body(Worker& worker, const models::ProtectorSpec& spec) {
  const Mapped& region = region_of(worker, spec.region);
  return [&worker, &spec, &region] {
    Pieces pieces = pieces_of(worker, region, spec.size, spec.visits);
    bool readonly = false;
    worker.make_requests(spec.arrival, [&] {
      readonly = spec.visits.place == models::Visits::Place::in_turn ? pieces.rounds() % 2 == 0 : !readonly;
      const Pieces::Piece piece = pieces.next(worker.demand());
      (void)mprotect(address_of(piece.start), size_of(piece.pages), readonly ? PROT_READ : kReadWrite);
      return pieces.more();
    });
  };
}

/// Where mremap moves a range to: as the region lies in its page tables, or a page beside that.
PageIndex place_to_move_to(const Mapped& region, PageCount pages, bool aligned) {
  const PageIndex area = reserve(pages + models::kPagesPerTable, PROT_NONE);
  const std::int64_t table = models::kPagesPerTable.count();
  const std::int64_t alike = (region.start.index() - area.index() % table + table) % table;
  return area + PageCount(aligned ? alike : (alike + 1) % table);
}

int move(PageIndex from, PageCount pages, PageIndex to) {
  const void* const moved =
      mremap(address_of(from), size_of(pages), size_of(pages), MREMAP_MAYMOVE | MREMAP_FIXED, address_of(to));
  return moved == MAP_FAILED ? -1 : 0;
}

Body body(Worker& worker, const models::MoverSpec& spec) {
  const Mapped& region = region_of(worker, spec.region);
  const PageCount pages = models::pages_of(spec.size);
  const PageIndex other = place_to_move_to(region, pages, spec.aligned);
  return [&worker, &spec, &region, pages, other] {
    bool moved = false;
    worker.make_requests(spec.arrival, [&] {
      const PageIndex from = moved ? other : region.start;
      if (move(from, pages, moved ? region.start : other) == 0) moved = !moved;
    });
  };
}

Body body(Worker& worker, const models::ForkerSpec& spec) {
  return [&worker, &spec] {
    worker.make_requests(spec.arrival, [&] {
      const std::int64_t lives = spec.child ? spec.child->sample(worker.demand()).count() : 0;
      const pid_t child = spec.vfork ? vfork() : fork();
      if (child != 0) return;
      if (lives > 0) sleep_for(lives);
      _exit(0);
    });
  };
}

// --- others -----------------------------------------------------------------------------------------------------

Body body(Worker& worker, const models::MincoreSpec& spec) {
  const PageCount pages = models::pages_of(spec.size);
  const AnyPage any(region_of(worker, spec.region), pages);
  auto states = std::make_shared<std::vector<unsigned char>>(static_cast<std::size_t>(pages.count()), '\0');
  return [&worker, &spec, pages, any, states] {
    worker.make_requests(spec.arrival,
                         [&] { (void)mincore(address_of(any(worker.pages())), size_of(pages), states->data()); });
  };
}

Body body(Worker& worker, const models::MsyncSpec& spec) {
  const Mapped& region = region_of(worker, spec.region);
  return [&worker, &spec, &region] {
    Pieces pieces = pieces_of(worker, region, spec.size, spec.visits);
    worker.make_requests(spec.arrival, [&] {
      const Pieces::Piece piece = pieces.next(worker.demand());
      (void)msync(address_of(piece.start), size_of(piece.pages), MS_SYNC);
      return pieces.more();
    });
  };
}

Body body(Worker& worker, const models::GetMempolicySpec& spec) {
  const AnyPage any(region_of(worker, spec.region), PageCount(1));
  return [&worker, &spec, any] {
    const unsigned long flags = MPOL_F_ADDR | (spec.node ? MPOL_F_NODE : 0UL);
    worker.make_requests(spec.arrival, [&] {
      int mode = 0;
      (void)syscall(SYS_get_mempolicy, &mode, nullptr, 0UL, address_of(any(worker.pages())), flags);
    });
  };
}

Body body(Worker& worker, const models::BusySpec& spec) {
  return [&worker, &spec] {
    // In short turns, so that its end is not missed.
    constexpr std::int64_t kTurn = 100'000;
    while (!worker.over()) {
      for (std::int64_t left = spec.spin.sample(worker.demand()).count(); left > 0 && !worker.over(); left -= kTurn) {
        Worker::compute(std::min(left, kTurn));
      }
      if (spec.sleep) worker.sleep_until(now() + spec.sleep->sample(worker.demand()).count());
    }
  };
}

Body body(Worker&, const models::ReplaySpec&) { fail("a recording is of another program"); }

Body body(Worker&, const models::HolderSpec&) { fail("it stands for what is not modelled"); }

Body body(Worker&, const models::KhugepagedSpec&) { fail("khugepaged is the kernel's own thread"); }

Body body(Worker&, const models::NumaBalancingSpec&) { fail("the kernel scans when it sees fit"); }

Body body(Worker&, const models::KsmSpec&) { fail("ksmd is the kernel's own thread"); }

Body body(Worker&, const models::UserfaultSpec&) { fail("what it fills in comes from another machine"); }

Body body(Worker&, const models::PinnerSpec&) { fail("there is no device to pin memory for"); }

// --- lockers ----------------------------------------------------------------------------------------------------

class Script {
 public:
  Script(Worker& worker, const models::LockerSpec& spec)
      : worker_(worker), spec_(spec), region_(region_of(worker, spec.region)) {
    for (const models::ScriptStep& step : spec.script) {
      if (!is_mremap(step.call) || away(step.call)) continue;
      away(step.call) = place_to_move_to(region_, region_.pages, step.call == Call::mremap_aligned);
    }
    home_ = region_.start;
  }

  void run() {
    SharedState& shared = worker_.process().shared;
    for (int round = 0; round < spec_.repeat && !worker_.over(); ++round) {
      for (const models::ScriptStep& step : spec_.script) run_step(step);
    }
    if (shared.lockers.fetch_sub(1) == 1 && worker_.process().ends_with_lockers) shared.end_run(now());
  }

 private:
  using Call = models::ScriptStep::Call;
  using Step = models::ScriptStep;

  std::optional<PageIndex>& away(Call call) { return call == Call::mremap_aligned ? aligned_ : anywhere_; }

  void run_step(const Step& step) {
    if (worker_.over()) return;
    if (step.call == Call::hold) {
      worker_.sleep_until(now() + step.hold.count());
      return;
    }
    worker_.process().shared.end_warm_up(now());
    const bool on_region = is_on_region(step.call);
    const PageCount offset = models::pages_of(step.at.value_or(models::Bytes(0)));
    const PageIndex start = region_.start + offset;
    const PageIndex end = step.at ? std::min(start + models::pages_of(step.size), region_.start + region_.pages)
                                  : region_.start + region_.pages;
    const bool needs_region =
        on_region || is_mremap(step.call) || step.call == Call::mlockall || step.call == Call::mlockall_onfault;
    if (needs_region && !is_mapped(start)) map_region();
    const bool in_pieces = on_region && step.size > models::Bytes(0);
    const PageCount each = in_pieces ? models::pages_of(step.size) : end - start;
    for (PageIndex page = start; page < end && !worker_.over();) {
      if (page > start && step.hold > sim::Nanoseconds{0}) worker_.sleep_until(now() + step.hold.count());
      const PageCount pages = std::min(each, end - page);
      worker_.make_call(script_call_row(step.call), pages, [&] { return call(step.call, page, pages); });
      page = page + pages;
    }
  }

  void map_region() {
    constexpr models::ScriptCallRow kMap{Call::hold, "mmap", models::Phase::mmap};
    worker_.make_call(kMap, region_.pages, [&] {
      map_again(region_);
      return 0;
    });
  }

  int call(Call call, PageIndex start, PageCount pages) {
    char* const address = address_of(start);
    const std::size_t size = size_of(pages);
    switch (call) {
      case Call::mlock:
        return mlock(address, size);
      case Call::mlock_onfault:
        return static_cast<int>(syscall(SYS_mlock2, address, size, 1));  // MLOCK_ONFAULT
      case Call::munlock:
        return munlock(address, size);
      case Call::munmap:
        return munmap(address, size);
      case Call::msync:
        return msync(address, size, MS_SYNC);
      case Call::mlockall:
        return mlockall(MCL_CURRENT);
      case Call::mlockall_onfault:
        return mlockall(MCL_CURRENT | 4);  // MCL_ONFAULT
      case Call::mlockall_future:
        return mlockall(MCL_FUTURE);
      case Call::munlockall:
        return munlockall();
      case Call::mmap_locked: {
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED;
        return mmap(nullptr, size, kReadWrite, flags, -1, 0) == MAP_FAILED ? -1 : 0;
      }
      case Call::mremap:
      case Call::mremap_aligned:
        return move_region(call);
      default:
        errno = ENOSYS;
        return -1;
    }
  }

  int move_region(Call call) {
    const PageIndex to = region_.start == home_ ? *away(call) : home_;
    const int error = move(region_.start, region_.pages, to);
    if (error == 0) region_.start = to;
    return error;
  }

  Worker& worker_;
  const models::LockerSpec& spec_;
  Mapped region_;
  PageIndex home_;
  std::optional<PageIndex> anywhere_;
  std::optional<PageIndex> aligned_;
};

Body body(Worker& worker, const models::LockerSpec& spec) {
  auto script = std::make_shared<Script>(worker, spec);
  return [script] { script->run(); };
}

}  // namespace

std::function<void()> body_of(Worker& worker) {
  return std::visit([&](const auto& spec) { return body(worker, spec); }, worker.spec().run);
}

}  // namespace probe
