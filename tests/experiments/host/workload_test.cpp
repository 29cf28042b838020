#include "experiments/host/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "experiments/host/real_json.h"
#include "experiments/scenario/scenario_file.h"
#include "tests/support/command_line.h"

namespace experiments::workload_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

constexpr const char* kHead = R"(schema: mlocksim/1
name: small
about: a small one
machine: {from: machines/epyc-zen4-linux-6.18, cpus: 2}
memory: {size: 4GiB, pressure: none}
policies: [linux-6.12]
seed: 7
duration: 1s
)";

Workload workload_of_text(const std::string& text, LeftOut& left_out) {
  const tests::TemporaryFolder folder;
  return workload_of(read_scenario(folder.write("scenario.yaml", kHead + text)), left_out);
}

// One of every kind that there is, with what keys they have.
constexpr const char* kAll = R"(processes:
  - name: db
    regions:
      heap: {size: 16MiB, kind: anon, pages: resident, page_size: 4KiB}
      tail: {size: 1MiB, kind: anon, beside: heap}
      shared: {size: 1MiB, kind: shmem}
    threads:
      locker: {run: locker, region: heap, script: [hold 1ms, mlock 64KiB pause 1ms, munlock, mremap], repeat: 3}
      faulter: {run: faulter, count: 2, mutex: arena, closed: {think: exponential 50us, compute: 1us}}
      receiver: {run: faulter, by: kernel, region: tail, open: {every: uniform 1us 5us}}
      mapper: {run: mapper, region: heap, size: 8KiB, populate: true, closed: {think: lognormal median 1us p99 5us}}
      madviser: {run: madviser, region: heap, advice: dontneed, size: 64KiB, closed: {think: 1ms}}
      mincore: {run: mincore, region: heap, size: 64KiB, closed: {think: 1ms}}
      policy: {run: get_mempolicy, region: heap, closed: {think: 1ms}}
      protector: {run: protector, region: heap, size: 64KiB, place: in_turn, closed: {think: 1ms}}
      forker: {run: forker, child: 1ms, closed: {think: 100ms}}
      mover: {run: mover, region: tail, size: 4KiB, closed: {think: 1ms}}
      writer: {run: msync, region: shared, size: 4KiB, closed: {think: 1ms}}
      busy: {run: busy, nice: 5, cpus: [1], spin: 1ms, sleep: 1ms}
  - name: monitoring
    threads:
      maps: {run: proc_reader, file: maps, target: db, closed: {think: 1ms}}
      ptrace: {run: remote_reader, target: db, pages: 2, closed: {think: 1ms}}
)";

TEST(Workload, IsAllOfAScenarioThatAnOrdinaryProcessCanDo) {
  LeftOut left_out;
  const Workload workload = workload_of_text(kAll, left_out);
  EXPECT_THAT(left_out, IsEmpty());
  ASSERT_EQ(workload.processes.size(), 2U);
  EXPECT_EQ(workload.processes[0].threads.size(), 12U);
  EXPECT_EQ(workload.seed, 7U);
  EXPECT_EQ(memory_of(workload), models::Bytes(18 << 20));
}

TEST(Workload, ComesThroughItsJsonAsItWas) {
  LeftOut left_out;
  const Workload workload = workload_of_text(kAll, left_out);
  EXPECT_EQ(parse_workload(to_json_text(workload)), workload);
}

TEST(Workload, SaysHowMmapLockIsToBeHeldOnlyWhereThatIsAsked) {
  LeftOut left_out;
  Workload workload = workload_of_text(kAll, left_out);
  EXPECT_THAT(to_json_text(workload), Not(HasSubstr("lock_paths")));
  workload.lock_paths = LockPaths{{.mode = models::HoldMode::chunked_write,
                                   .batch = models::PageCount(512),
                                   .if_contended = true,
                                   .hand_over = true},
                                  models::HoldMode::downgrade};
  const std::string text = to_json_text(workload);
  EXPECT_THAT(text, HasSubstr(R"("mode":"chunked_write")"));
  EXPECT_EQ(parse_workload(text), workload);
  std::string unknown = text;
  unknown.replace(unknown.find("chunked_write"), 7, "chopped");
  EXPECT_THROW((void)parse_workload(unknown), std::runtime_error);
}

TEST(Workload, NamesWhatCannotBeRunForReal) {
  LeftOut left_out;
  const Workload workload = workload_of_text(R"(processes:
  - name: db
    regions:
      heap: {size: 16MiB, kind: anon}
      file: {size: 16MiB, kind: file}
    threads:
      locker: {run: locker, region: heap, script: [mlock, exit]}
      reader: {run: faulter, region: file, closed: {think: 1ms}}
      ksm: {run: holder, hold: 1ms, every: 1s}
      nic: {run: pinner, region: heap, closed: {think: 1ms}}
      limited: {run: mapper, group: jail, closed: {think: 1ms}}
      mapper: {run: mapper, group: free, closed: {think: 1ms}}
      cat: {run: proc_reader, file: maps, target: db, new_process: true, closed: {think: 1ms}}
groups:
  jail: {cpu_max: {quota: 10ms, period: 100ms}}
  free: {}
)",
                                             left_out);
  EXPECT_THAT(
      left_out,
      ElementsAre(Pair("cat", HasSubstr("new process")), Pair("ksm", HasSubstr("no real counterpart")),
                  Pair("limited", HasSubstr("group 'jail'")), Pair("locker", HasSubstr("results")),
                  Pair("nic", HasSubstr("device")), Pair("reader", HasSubstr("'file' is neither anon nor shmem"))));
  ASSERT_EQ(workload.processes[0].threads.size(), 1U);
  EXPECT_EQ(workload.processes[0].threads[0].name, "mapper");
  EXPECT_EQ(workload.processes[0].regions.size(), 1U);
}

TEST(Workload, DoesNotRunFaultersWhoseMemoryMlockallWouldLock) {
  LeftOut left_out;
  (void)workload_of_text(R"(processes:
  - name: db
    regions: {heap: {size: 16MiB, kind: anon}}
    threads:
      locker: {run: locker, region: heap, script: [mlockall]}
      faulter: {run: faulter, closed: {think: 1ms}}
      toucher: {run: faulter, region: heap, closed: {think: 1ms}}
)",
                         left_out);
  EXPECT_THAT(left_out, ElementsAre(Pair("faulter", HasSubstr("mlockall"))));
}

TEST(RealResults, ComeThroughTheirJsonAsTheyWere) {
  LeftOut left_out;
  RealClass mapper{.name = "mapper", .threads = 2, .warm_up = 3, .longest_warm_up = sim::Nanoseconds{7}};
  mapper.during[models::Phase::mlock].record(sim::Nanoseconds{1234});
  RealClass locker{.name = "locker", .threads = 1};
  locker.calls["mlock"].duration.record(sim::Nanoseconds{99});
  locker.calls["mlock"].errors[12] = 1;
  RealResult real{workload_of_text(kAll, left_out), "6.12.1", 2, {{sim::Nanoseconds{5}, 0.25, {}, {mapper, locker}}}};
  EXPECT_EQ(parse_real_result(to_json_text(real)), real) << "of a probe that did not count VMAs";
  real.sittings.front().other_vmas["db"] = 38;
  EXPECT_EQ(parse_real_result(to_json_text(real)), real);
  real.sittings.front().other_vmas["db"] = -1;
  EXPECT_THROW((void)parse_real_result(to_json_text(real)), std::runtime_error);
}

TEST(RealResults, OfAnotherVersionOrOfSomethingElseAreToldApart) {
  const auto refused = [](const std::string& text) {
    try {
      (void)parse_real_result(text);
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(refused("hello"), HasSubstr("is no JSON"));
  EXPECT_THAT(refused("[1]"), HasSubstr("'schema': expected mlocksim-real/1, found none"));
  EXPECT_THAT(refused(R"({"schema": "mlocksim-real/2"})"), HasSubstr("found mlocksim-real/2"));
  EXPECT_THAT(refused(R"({"schema": "mlocksim-real/1", "value": {}})"), HasSubstr("workload"));
  EXPECT_THAT(refused(R"({"schema": "mlocksim-real/1"})"), HasSubstr("value"));
}

}  // namespace
}  // namespace experiments::workload_test
