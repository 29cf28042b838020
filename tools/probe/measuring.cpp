#include "tools/probe/measuring.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace probe {

namespace {

std::int64_t read_clock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

double measured_clock_cost() {
  std::vector<double> costs;
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t start = now();
    costs.push_back(static_cast<double>(now() - start));
  }
  return percentile(costs, 0.5);
}

template <typename Measure>
double shortest_of_three(Measure measure) {
  const double first = measure();
  return std::min({first, measure(), measure()});
}

double one_fork() {
  const std::int64_t start = cpu_time();
  const pid_t child = fork();
  if (child == 0) _exit(0);
  const std::int64_t end = cpu_time();
  check(child, "fork");
  wait_for(child);
  return static_cast<double>(end - start);
}

}  // namespace

void fail(const std::string& why) { throw std::runtime_error(why); }

void fail_with_errno(const std::string& what) { fail(what + ": " + std::strerror(errno)); }

void check(long result, const char* what) {
  if (result == -1) fail_with_errno(what);
}

std::int64_t now() { return read_clock(CLOCK_MONOTONIC); }

std::int64_t cpu_time() { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

void sleep_for(std::int64_t nanoseconds) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const timespec time{nanoseconds / kSecond, nanoseconds % kSecond};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr);
}

PunctualTimers::PunctualTimers() : slack_(prctl(PR_GET_TIMERSLACK)) {
  check(slack_, "prctl");
  check(prctl(PR_SET_TIMERSLACK, 1), "prctl");
}

PunctualTimers::~PunctualTimers() { prctl(PR_SET_TIMERSLACK, slack_); }

double clock_cost() {
  static const double cost = measured_clock_cost();
  return cost;
}

// --- memory -------------------------------------------------------------------------------------------------

char* reserve_range(std::size_t size) {
  const std::size_t all = kPage + kHugePage + size + kPage;
  void* const mapping = mmap(nullptr, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) fail_with_errno("mmap");
  char* const first = static_cast<char*>(mapping);
  const std::size_t beyond = reinterpret_cast<std::uintptr_t>(first + kPage) % kHugePage;
  char* const start = first + kPage + (beyond == 0 ? 0 : kHugePage - beyond);
  // Addresses that it does not need would count where mlockall is limited.
  char* const end = start + size + kPage;
  if (start - kPage > first) munmap(first, static_cast<std::size_t>(start - kPage - first));
  if (first + all > end) munmap(end, static_cast<std::size_t>(first + all - end));
  return start;
}

Region::Region(std::size_t size, int protection) : start_(reserve_range(size)), size_(size) {
  reserve(0, size, protection);
}

Region::~Region() { munmap(start_ - kPage, size_ + 2 * kPage); }

void Region::reserve(std::size_t offset, std::size_t size, int protection) const {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
  if (mmap(at(offset), size, protection, flags, -1, 0) == MAP_FAILED) fail_with_errno("mmap");
}

namespace {

// More than the 2 MiB of L2 that cores have, by far: a fault takes 1.3 us with a page that was given back just now, 1.7
// with one before which 8, 16 or 32 MiB were (6.18, a Xeon with 2 MiB).
constexpr std::size_t kColdAfter = std::size_t{16} << 20U;

void touch(char* from, const char* to) {
  for (volatile char* at = from; at < to; at += kPage) *at = 1;
}

}  // namespace

ColdPages::ColdPages(const Settings& settings, std::size_t count)
    : taken_(std::min(kColdAfter, settings.memory / 2)), region_(taken_ + count * kPage, kReadWrite) {
  check(madvise(region_.at(), region_.size(), MADV_NOHUGEPAGE), "madvise");
  touch(region_.at(), region_.at(region_.size()));
  check(madvise(region_.at(), region_.size(), MADV_DONTNEED), "madvise");
  touch(region_.at(), region_.at(taken_));
}

std::size_t read_through(const char* file) {
  static std::array<char, 65536> buffer;
  const int opened = open(file, O_RDONLY | O_CLOEXEC);
  check(opened, file);
  std::size_t size = 0;
  ssize_t got = 0;
  while ((got = read(opened, buffer.data(), buffer.size())) > 0) size += static_cast<std::size_t>(got);
  close(opened);
  if (got < 0) fail_with_errno(file);
  return size;
}

double file_time(const char* file) {
  if (access(file, R_OK) != 0) return -1;
  return shortest_of_three([&] { return cpu_time_of([&] { (void)read_through(file); }); });
}

std::string text_of(const std::string& file) {
  std::ifstream stream(file);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '\0')) text.pop_back();
  return text;
}

int vmas_of(const std::string& process) {
  const std::string maps = text_of("/proc/" + process + "/maps");
  return static_cast<int>(std::count(maps.begin(), maps.end(), '\n')) + 1;
}

// --- processes and CPUs -------------------------------------------------------------------------------------

void wait_for(pid_t child) {
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

double fork_time() { return shortest_of_three(one_fork); }

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  check(sched_getaffinity(0, sizeof set, &set), "sched_getaffinity");
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

OnCpu::OnCpu(int cpu) {
  check(sched_getaffinity(0, sizeof before_, &before_), "sched_getaffinity");
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  check(sched_setaffinity(0, sizeof set, &set), "sched_setaffinity");
}

OnCpu::~OnCpu() { sched_setaffinity(0, sizeof before_, &before_); }

}  // namespace probe
