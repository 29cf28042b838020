#include "models/block/block_device.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/random.h"
#include "tests/support/in_child.h"
#include "tests/support/small_machine.h"

namespace models::block_device_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using sim::Time;
using tests::at;
using tests::check_in_child;
using tests::SmallMachine;
using tests::SmallMachineSpec;

constexpr PageCount kOnePage{1};

// Every request takes 100 ns.
DeviceSpec steady_device(int queue_depth, int nr_requests = 128) {
  return {"steady", queue_depth, nr_requests, sim::Constant{100ns}, sim::Constant{100ns}, {}};
}

SmallMachineSpec machine_with(bool stepwise, Nanoseconds wake_up_latency = {}) {
  SmallMachineSpec spec;
  spec.scheduler.wake_up_latency = wake_up_latency;
  spec.stepwise = stepwise;
  return spec;
}

void ignore() {}

class BlockDeviceTest : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, BlockDeviceTest, testing::Bool(),
                         [](const auto& mode) { return std::string(mode.param ? "Stepwise" : "Default"); });

// ---------------------------------------------------------------------------------------------------------------
// Closed forms

TEST_P(BlockDeviceTest, ReadsAreServedInTheOrderOfArrival) {
  constexpr Nanoseconds kLatency = 30ns;
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam(), kLatency));
    BlockDevice device(machine.engine, steady_device(1));
    for (int number = 0; number < 5; ++number) {
      const Time arrival = at(1000 + 10 * number);
      machine.add_at(1000 + 10 * number, [&, number, arrival](Task& task) {
        const Nanoseconds before = machine.spent(task, Cause::device_io);
        device.read(task, kOnePage);
        const Time done = at(1000 + 100 * (number + 1));
        EXPECT_EQ(task.now(), done + kLatency);
        EXPECT_EQ(machine.spent(task, Cause::device_io) - before, done - arrival);
      });
    }
    machine.run();
    EXPECT_EQ(device.statistics().read.requests(), 5U);
    EXPECT_EQ(device.statistics().read.latency.min(), 100ns);
    EXPECT_EQ(device.statistics().read.latency.max(), 460ns);
    EXPECT_EQ(device.statistics().longest_queue, 5U);
    EXPECT_EQ(device.statistics().busy, 500ns);
    EXPECT_EQ(device.in_queue(), 0U);
  });
}

TEST_P(BlockDeviceTest, EveryPageTakesItsTransferOnTop) {
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam()));
    DeviceSpec spec = steady_device(1);
    spec.write = sim::Constant{70ns};
    spec.transfer_page = 3ns;
    BlockDevice device(machine.engine, spec);
    Time written;
    machine.add([&](Task& task) {
      device.read(task, PageCount(8));
      EXPECT_EQ(task.now(), at(124));
      device.write(task, PageCount(32), [&] { written = machine.now(); });
      EXPECT_EQ(task.now(), at(124));
    });
    machine.run();
    EXPECT_EQ(written, at(124 + 70 + 96));
    EXPECT_EQ(device.statistics().read.pages, 8U);
    EXPECT_EQ(device.statistics().write.pages, 32U);
    EXPECT_EQ(device.statistics().write.latency.max(), 166ns);
  });
}

// Ten requests at once, of 8 pages each: the link has them after 24 ns each, and the media are never short.
TEST_P(BlockDeviceTest, TheLinkCarriesOneRequestAfterAnotherHoweverDeepTheQueue) {
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam()));
    DeviceSpec spec = steady_device(64);
    spec.transfer_page = 3ns;
    BlockDevice device(machine.engine, spec);
    std::vector<Time> written;
    machine.add([&](Task& task) {
      for (int number = 0; number < 10; ++number) {
        device.write(task, PageCount(8), [&] { written.push_back(machine.now()); });
      }
    });
    machine.run();
    ASSERT_EQ(written.size(), 10U);
    for (int number = 0; number < 10; ++number) {
      EXPECT_EQ(written[static_cast<std::size_t>(number)], at(24 * (number + 1) + 100));
    }
  });
}

TEST_P(BlockDeviceTest, NobodyWaitsForWhatIsReadAheadButThoseWhoReadBehindIt) {
  check_in_child([] {
    SmallMachine machine(machine_with(GetParam()));
    BlockDevice device(machine.engine, steady_device(1));
    sim::Time arrived{};
    machine.add([&](Task& task) {
      device.read_ahead(task, PageCount(3), [&] { arrived = machine.now(); });
      EXPECT_EQ(task.settle(), at(0));
      device.read(task, kOnePage);
      EXPECT_EQ(task.settle(), at(200));
    });
    machine.run();
    EXPECT_EQ(arrived, at(100));
    EXPECT_EQ(device.statistics().read.requests(), 2U);
    EXPECT_EQ(device.statistics().read.pages, 4U);
  });
}

TEST_P(BlockDeviceTest, WorkThatIsOwedIsPaidBeforeTheRequest) {
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam()));
    BlockDevice device(machine.engine, steady_device(1));
    machine.add([&](Task& task) {
      task.work(40ns);
      device.read(task, kOnePage);
      EXPECT_EQ(task.now(), at(140));
      EXPECT_EQ(machine.spent(task, Cause::cpu), 40ns);
      EXPECT_EQ(machine.spent(task, Cause::device_io), 100ns);
    });
    machine.run();
  });
}

TEST_P(BlockDeviceTest, AsManyAreServedAtOnceAsTheQueueIsDeep) {
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam()));
    BlockDevice device(machine.engine, steady_device(3));
    std::vector<Time> ends(7);
    for (std::size_t number = 0; number < ends.size(); ++number) {
      machine.add_at(static_cast<std::int64_t>(number), [&, number](Task& task) {
        device.read(task, kOnePage);
        ends[number] = task.now();
      });
    }
    machine.run();
    EXPECT_EQ(ends, (std::vector<Time>{at(100), at(101), at(102), at(200), at(201), at(202), at(300)}));
  });
}

TEST_P(BlockDeviceTest, ASaturatedDeviceServesItsDepthInEachServiceTime) {
  constexpr int kRounds = 300;
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam()));
    BlockDevice device(machine.engine, steady_device(3));
    for (int number = 0; number < 8; ++number) {
      machine.add([&](Task& task) {
        for (int round = 0; round < kRounds; ++round) device.read(task, kOnePage);
      });
    }
    machine.run();
    EXPECT_EQ(device.statistics().read.requests(), 8U * kRounds);
    EXPECT_EQ(machine.now(), at(100 * 8 * kRounds / 3));
    EXPECT_EQ(device.statistics().busy, 3 * (machine.now() - at(0)));
  });
}

TEST_P(BlockDeviceTest, ADeviceThatTakesNoTimeIsNoWait) {
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam()));
    BlockDevice device(machine.engine, DeviceSpec{});
    int written = 0;
    machine.add_at(50, [&](Task& task) {
      for (int round = 0; round < 300; ++round) device.write(task, kOnePage, [&] { ++written; });
      device.read(task, kOnePage);
      EXPECT_EQ(written, 300);
      EXPECT_EQ(task.now(), at(50));
    });
    machine.run();
    EXPECT_EQ(device.statistics().longest_queue, 128U);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Completion

TEST_P(BlockDeviceTest, WhatIsDoneAtTheSameTimeIsToldInTheOrderOfSubmission) {
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam()));
    BlockDevice device(machine.engine, steady_device(4));
    std::vector<int> told;
    machine.add([&](Task& task) {
      for (const int number : {3, 1, 4, 0}) {
        device.write(task, kOnePage, [&told, number] { told.push_back(number); });
      }
    });
    machine.run();
    EXPECT_EQ(told, (std::vector<int>{3, 1, 4, 0}));
    EXPECT_EQ(machine.now(), at(100));
  });
}

// The sleeper's turns come before the device's, because it is the older; yet not between two completions.
TEST_P(BlockDeviceTest, WhatIsDoneAtTheSameTimeIsDoneBeforeAnybodyRuns) {
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam()));
    std::optional<BlockDevice> device;
    Task& sleeper = machine.add([&](Task& task) {
      task.block(Cause::device_io);
      EXPECT_EQ(task.now(), at(100));
      EXPECT_EQ(device->in_queue(), 0U);
    });
    device.emplace(machine.engine, steady_device(2));
    machine.add([&](Task& task) {
      device->write(task, kOnePage, [&] { sleeper.wake(); });
      device->write(task, kOnePage, ignore);
    });
    machine.run();
  });
}

TEST_P(BlockDeviceTest, WhoIsToldFindsTheQueueAsTheRequestLeftIt) {
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam()));
    BlockDevice device(machine.engine, steady_device(3));
    std::vector<std::size_t> left;
    machine.add([&](Task& task) {
      for (int number = 0; number < 3; ++number) {
        device.write(task, kOnePage, [&] { left.push_back(device.in_queue()); });
      }
      EXPECT_EQ(device.in_queue(), 3U);
    });
    machine.run();
    EXPECT_EQ(left, (std::vector<std::size_t>{2, 1, 0}));
  });
}

TEST_P(BlockDeviceTest, ACallbackMayWakeATask) {
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam()));
    BlockDevice device(machine.engine, steady_device(1));
    Task& sleeper = machine.add([&](Task& task) {
      task.block(Cause::direct_reclaim);
      EXPECT_EQ(task.now(), at(110));
    });
    machine.add_at(10, [&](Task& task) { device.write(task, kOnePage, [&] { sleeper.wake(); }); });
    machine.run();
    EXPECT_EQ(machine.spent(sleeper, Cause::direct_reclaim), 110ns);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Random service

// When each of the requests is done: FIFO to the server that gets free first.
std::vector<Time> completions(const std::vector<Time>& arrivals, const std::vector<Nanoseconds>& services,
                              const std::vector<Nanoseconds>& transfers, std::size_t servers) {
  std::vector<Time> free(servers);
  Time link;
  std::vector<Time> done;
  for (std::size_t number = 0; number < arrivals.size(); ++number) {
    const auto server = std::min_element(free.begin(), free.end());
    link = std::max(link, arrivals[number]) + transfers[number];
    *server = std::max(*server, link) + services[number];
    done.push_back(*server);
  }
  return done;
}

TEST_P(BlockDeviceTest, RandomRequestsAreDoneWhenTheRecursionForFifoServersSays) {
  constexpr std::size_t kRequests = 2000;
  for (const int depth : {1, 2, 7}) {
    check_in_child([&] {
      SmallMachine machine(machine_with(GetParam()));
      const sim::Distribution service = sim::Uniform{0ns, 900ns};
      BlockDevice device(machine.engine, {"random", depth, 1'000'000, sim::Constant{1ns}, service, 2ns});
      std::vector<Time> arrivals;
      std::vector<Time> done(kRequests);
      machine.add([&](Task& task) {
        sim::Stream chance(1, "arrivals", "test");
        for (std::size_t number = 0; number < kRequests; ++number) {
          task.sleep_until(task.now() + Nanoseconds{static_cast<std::int64_t>(chance() % 1000) / depth});
          arrivals.push_back(task.now());
          device.write(task, kOnePage, [&, number] { done[number] = machine.now(); });
        }
      });
      machine.run();
      sim::Stream draws(machine.spec.seed, "task.0", "reclaim");
      std::vector<Nanoseconds> services(kRequests);
      std::generate(services.begin(), services.end(), [&] { return service.sample(draws); });
      const std::vector<Nanoseconds> transfers(kRequests, 2ns);
      EXPECT_EQ(done, completions(arrivals, services, transfers, static_cast<std::size_t>(depth)));
      EXPECT_EQ(device.statistics().busy, std::accumulate(services.begin(), services.end(), 0ns));
    });
  }
}

TEST_P(BlockDeviceTest, ReadsDrawFromTheReadersStreamForFaults) {
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam()));
    const sim::Distribution service = sim::Exponential{1us};
    BlockDevice device(machine.engine, {"random", 64, 128, service, sim::Constant{1ns}, {}});
    for (int number = 0; number < 4; ++number) {
      machine.add([&, number](Task& task) {
        sim::Stream draws(machine.spec.seed, "task." + std::to_string(number), "fault");
        for (int round = 0; round < 100; ++round) {
          const Time asked = task.now();
          device.read(task, kOnePage);
          EXPECT_EQ(task.now() - asked, service.sample(draws));
        }
      });
    }
    machine.run();
  });
}

struct QueueingCase {
  std::string name;
  int servers;
  double load;  // of each server
  sim::Distribution service;
  double wait;  // expected, in mean service times
};

// The mean wait before each of `count` independent devices, from 20,000 requests each.
std::vector<double> mean_waits(const QueueingCase& queueing, std::size_t count, bool stepwise) {
  constexpr int kRequests = 20'000;
  SmallMachineSpec spec = machine_with(stepwise);
  spec.cpus = static_cast<int>(count);
  SmallMachine machine(spec);
  std::deque<BlockDevice> devices;
  std::vector<double> means(count);
  for (std::size_t number = 0; number < count; ++number) {
    BlockDevice& device = devices.emplace_back(
        machine.engine, DeviceSpec{queueing.name, queueing.servers, kRequests, {}, queueing.service, {}});
    machine.add([&, number](Task& task) {
      sim::Stream chance(machine.spec.seed, "arrivals." + std::to_string(number), "test");
      sim::Stream draws(machine.spec.seed, "task." + std::to_string(number), "reclaim");
      const double mean_gap = queueing.service.mean() / (queueing.load * queueing.servers);
      const sim::Distribution gap = sim::Exponential{Nanoseconds{std::llround(mean_gap)}};
      for (int request = 0; request < kRequests; ++request) {
        task.sleep_until(task.now() + gap.sample(chance));
        const Time without_wait = task.now() + queueing.service.sample(draws);
        device.write(task, kOnePage, [&, number, without_wait] {
          means[number] += static_cast<double>((machine.now() - without_wait).count()) / kRequests;
        });
      }
    });
  }
  machine.run();
  return means;
}

struct Estimate {
  double mean;
  double error;  // its standard error
};

Estimate estimate(const std::vector<double>& samples) {
  const auto count = static_cast<double>(samples.size());
  const double mean = std::accumulate(samples.begin(), samples.end(), 0.0) / count;
  double squares = 0;
  for (const double sample : samples) squares += (sample - mean) * (sample - mean);
  return {mean, std::sqrt(squares / (count - 1) / count)};
}

// Pollaczek-Khinchine with constant service: W = rho / (2 (1 - rho)) D. With exponential service: W = rho / (1 - rho)
// S; before k servers W = C(k, k rho) S / (k (1 - rho)) with Erlang's C(2, 1) = 1/3.
TEST_P(BlockDeviceTest, MeanWaitsAreThoseOfQueueingTheory) {
  const std::vector<QueueingCase> cases{{"M/D/1 at 0.5", 1, 0.5, sim::Constant{100us}, 0.5},
                                        {"M/D/1 at 0.8", 1, 0.8, sim::Constant{100us}, 2.0},
                                        {"M/M/1 at 0.5", 1, 0.5, sim::Exponential{100us}, 1.0},
                                        {"M/M/2 at 0.5", 2, 0.5, sim::Exponential{100us}, 1.0 / 3.0}};
  for (const QueueingCase& queueing : cases) {
    SCOPED_TRACE(queueing.name);
    check_in_child([&] {
      const auto [mean, error] = estimate(mean_waits(queueing, 20, GetParam()));
      const double expected = queueing.wait * queueing.service.mean();
      EXPECT_NEAR(mean, expected, 3 * error);
      EXPECT_LT(error, 0.03 * expected) << "too few requests to tell";
    });
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Room in the queue

TEST_P(BlockDeviceTest, WhoFindsNoRoomWaitsForItInTheOrderOfAsking) {
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam()));
    BlockDevice device(machine.engine, steady_device(1, 2));
    std::vector<Time> submitted(5);
    std::vector<Time> written(5);
    for (std::size_t number = 0; number < 5; ++number) {
      const auto when = static_cast<std::int64_t>(10 * number);
      machine.add_at(when, [&, number, when](Task& task) {
        const Nanoseconds before = machine.spent(task, Cause::device_io);
        device.write(task, kOnePage, [&, number] { written[number] = machine.now(); });
        submitted[number] = task.now();
        EXPECT_EQ(machine.spent(task, Cause::device_io) - before, task.now() - at(when));
        EXPECT_LE(device.in_queue(), 2U);
      });
    }
    machine.run();
    EXPECT_EQ(submitted, (std::vector<Time>{at(0), at(10), at(100), at(200), at(300)}));
    EXPECT_EQ(written, (std::vector<Time>{at(100), at(200), at(300), at(400), at(500)}));
    EXPECT_EQ(device.statistics().longest_queue, 2U);
    EXPECT_EQ(device.statistics().room_waits.count(), 3U);
    EXPECT_EQ(device.statistics().room_waits.min(), 80ns);
    EXPECT_EQ(device.statistics().room_waits.max(), 260ns);
    EXPECT_EQ(device.statistics().write.latency.max(), 200ns);
    EXPECT_EQ(device.waiting_for_room(), 0U);
  });
}

// The slot is the waiter's from the moment at which it is told, although it takes time to come back.
TEST_P(BlockDeviceTest, ANewcomerDoesNotTakeTheSlotOfAWaiter) {
  constexpr Nanoseconds kLatency = 30ns;
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam(), kLatency));
    BlockDevice device(machine.engine, steady_device(1, 1));
    std::vector<Time> submitted(3);
    const auto write_at = [&](std::int64_t when, std::size_t number) {
      machine.add_at(when, [&, number](Task& task) {
        device.write(task, kOnePage, ignore);
        submitted[number] = task.now();
      });
    };
    write_at(1000, 0);
    write_at(1050, 1);
    write_at(1110, 2);
    machine.add_at(1111, [&](Task& /*task*/) {
      EXPECT_EQ(device.in_queue(), 1U);
      EXPECT_EQ(device.waiting_for_room(), 1U);
    });
    machine.run();
    EXPECT_EQ(submitted, (std::vector<Time>{at(1000), at(1100) + kLatency, at(1230) + kLatency}));
    EXPECT_EQ(device.statistics().room_waits.min(), 50ns);
    EXPECT_EQ(device.statistics().room_waits.max(), 120ns);
  });
}

TEST_P(BlockDeviceTest, NobodyStarvesBeforeAFullQueue) {
  constexpr std::size_t kTasks = 6;
  constexpr std::size_t kRounds = 50;
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam()));
    BlockDevice device(machine.engine, steady_device(1, 2));
    std::vector<std::size_t> order;
    for (std::size_t number = 0; number < kTasks; ++number) {
      machine.add_at(static_cast<std::int64_t>(number), [&, number](Task& task) {
        for (std::size_t round = 0; round < kRounds; ++round) {
          device.write(task, kOnePage, ignore);
          order.push_back(number);
          task.work(20ns);  // everybody else has asked when the first asks again
        }
      });
    }
    machine.run();
    ASSERT_EQ(order.size(), kTasks * kRounds);
    for (std::size_t i = 0; i < order.size(); ++i) ASSERT_EQ(order[i], i % kTasks) << "at " << i;
  });
}

TEST_P(BlockDeviceTest, ReadersAndWritersShareTheRoom) {
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam()));
    BlockDevice device(machine.engine, steady_device(1, 2));
    machine.add([&](Task& task) {
      device.write(task, kOnePage, ignore);
      device.write(task, kOnePage, ignore);
    });
    machine.add_at(10, [&](Task& task) {
      device.read(task, kOnePage);
      EXPECT_EQ(task.now(), at(300));
      EXPECT_EQ(machine.spent(task, Cause::device_io), 290ns);
    });
    machine.run();
    EXPECT_EQ(device.statistics().read.latency.max(), 200ns);
    EXPECT_EQ(device.statistics().room_waits.max(), 90ns);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Congestion

TEST(BlockDevice, CongestionThresholdsAreTheKernels) {
  EXPECT_EQ(congestion_thresholds(128), (CongestionThresholds{113, 103}));
  EXPECT_EQ(congestion_thresholds(1024), (CongestionThresholds{897, 831}));
  EXPECT_EQ(congestion_thresholds(16), (CongestionThresholds{15, 12}));
  EXPECT_EQ(congestion_thresholds(8), (CongestionThresholds{8, 6}));
  EXPECT_EQ(congestion_thresholds(4), (CongestionThresholds{4, 3}));
  EXPECT_EQ(congestion_thresholds(2), (CongestionThresholds{2, 1}));
  EXPECT_EQ(congestion_thresholds(1), (CongestionThresholds{1, 1}));
}

TEST_P(BlockDeviceTest, CongestionBeginsHighAndEndsLow) {
  check_in_child([&] {
    SmallMachine machine(machine_with(GetParam()));
    BlockDevice device(machine.engine, steady_device(1));
    std::size_t ended_at = 0;
    const auto look = [&] {
      if (!device.congested()) ended_at = std::max(ended_at, device.in_queue());
    };
    const auto fill_to = [&](Task& task, std::size_t requests) {
      while (device.in_queue() < requests) device.write(task, kOnePage, look);
    };
    machine.add([&](Task& task) {
      fill_to(task, 112);
      EXPECT_FALSE(device.congested());
      fill_to(task, 113);
      EXPECT_TRUE(device.congested());
      task.sleep_until(at(1050));  // ten are done
      EXPECT_EQ(device.in_queue(), 103U);
      EXPECT_TRUE(device.congested());
      EXPECT_EQ(ended_at, 0U);
      task.sleep_until(at(1150));
      EXPECT_FALSE(device.congested());
      EXPECT_EQ(ended_at, 102U);
      fill_to(task, 112);
      EXPECT_FALSE(device.congested());
      EXPECT_EQ(device.statistics().congestions, 1U);
      fill_to(task, 128);
      EXPECT_TRUE(device.congested());
      EXPECT_EQ(device.statistics().congestions, 2U);
    });
    machine.run();
    EXPECT_FALSE(device.congested());
    EXPECT_EQ(device.statistics().longest_queue, 128U);
  });
}

// ---------------------------------------------------------------------------------------------------------------
// Properties of random histories

void append_times(std::string& log, const BlockDevice::Statistics::Direction& direction) {
  log += std::to_string(direction.requests()) + " requests, " + std::to_string(direction.pages) + " pages, mean " +
         std::to_string(direction.latency.mean()) + ", max " + std::to_string(direction.latency.max().count()) + "\n";
}

// Six tasks on two CPUs with short slices share a small device; what each saw when.
std::string random_history(std::uint64_t seed, bool stepwise) {
  SmallMachineSpec spec = machine_with(stepwise, 30ns);
  spec.cpus = 2;
  spec.scheduler.tick = 1us;
  spec.scheduler.context_switch = 7ns;
  spec.seed = seed;
  SmallMachine machine(spec);
  BlockDevice device(machine.engine, {"small", 2, 3, sim::Uniform{0ns, 300ns}, sim::Exponential{400ns}, 5ns});
  std::string log;
  const auto note = [&](const std::string& who, const char* what) {
    EXPECT_LE(device.in_queue(), 3U);
    log += who + what + std::to_string(machine.now().time_since_epoch().count()) + "\n";
  };
  for (int number = 0; number < 6; ++number) {
    machine.add([&, number](Task& task) {
      const std::string who = std::to_string(number);
      sim::Stream chance(seed, who, "test");
      for (int round = 0; round < 40; ++round) {
        const auto length = Nanoseconds{static_cast<std::int64_t>(chance() % 1500)};
        const auto pages = PageCount(1 + static_cast<std::int64_t>(chance() % 8));
        for (int step = 0; step < 10; ++step) task.work(length / 10);
        if (chance() % 2 == 0) {
          device.read(task, pages);
          note(who, " has read at ");
        } else {
          device.write(task, pages, [&, who] { note(who, "'s pages are written at "); });
          note(who, " has submitted at ");
        }
        if (chance() % 4 == 0) task.sleep_until(task.settle() + 2 * length);
      }
    });
  }
  machine.run();
  EXPECT_EQ(device.statistics().read.requests() + device.statistics().write.requests(), 240U);
  EXPECT_EQ(device.in_queue(), 0U);
  EXPECT_FALSE(device.congested());
  append_times(log, device.statistics().read);
  append_times(log, device.statistics().write);
  return log + std::to_string(device.statistics().room_waits.count()) + " waited for room, busy " +
         std::to_string(device.statistics().busy.count()) + "\n";
}

TEST(BlockDevice, AStepwiseRunGivesTheSameHistory) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const std::string ahead = tests::in_child([&] { return random_history(seed, false); });
    EXPECT_EQ(ahead.find("child failed"), std::string::npos) << ahead;
    EXPECT_EQ(tests::in_child([&] { return random_history(seed, true); }), ahead);
  }
}

}  // namespace
}  // namespace models::block_device_test
