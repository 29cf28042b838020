// The rules of the fair class, with entities and a clock of the test's own.
//
// What is expected comes from kernel/sched/fair.c (6.1 for cfs, 6.6 and 6.12 for eevdf) and from arithmetic: lags are
// worked out here from the virtual times, never asked of the queue.
#include "models/sched/sched_fair.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "sim/random.h"

namespace models::sched_fair_test {
namespace {

using namespace std::chrono_literals;
using sim::Nanoseconds;
using sim::Time;

__extension__ using Wide = __int128;

// Virtual times are nobody's business but the queue's, and what its rules are about. An explicit instantiation may name
// private members.
template <class Tag, std::int64_t SchedEntity::*Member>
struct Reveal {
  friend std::int64_t SchedEntity::*member_of(Tag) { return Member; }
};
struct Vruntime {
  friend std::int64_t SchedEntity::*member_of(Vruntime);
};
struct Deadline {
  friend std::int64_t SchedEntity::*member_of(Deadline);
};
template struct Reveal<Vruntime, &SchedEntity::vruntime_>;
template struct Reveal<Deadline, &SchedEntity::deadline_>;

std::int64_t vruntime(const SchedEntity& entity) { return entity.*member_of(Vruntime{}); }
std::int64_t deadline(const SchedEntity& entity) { return entity.*member_of(Deadline{}); }

// Linux with 250 Hz on 8 CPUs.
constexpr FairRules kCfs{.flavour = FairFlavour::cfs,
                         .tick = 4ms,
                         .latency = 24ms,
                         .min_granularity = 3ms,
                         .wakeup_granularity = 4ms,
                         .base_slice = 3ms};

constexpr FairRules eevdf_rules(bool delayed_dequeue) {
  FairRules rules = kCfs;
  rules.flavour = FairFlavour::eevdf;
  rules.delayed_dequeue = delayed_dequeue;
  return rules;
}

constexpr FairRules kEevdf = eevdf_rules(false);
constexpr FairRules kDelayed = eevdf_rules(true);

std::int64_t virtual_ns(Nanoseconds real, std::int64_t weight) { return real.count() * kNice0Load / weight; }

// A queue with its clock: the part of the CPU.
class Cpu {
 public:
  explicit Cpu(const FairRules& the_rules) : rules(the_rules), queue(rules) {}

  void enqueue(SchedEntity& entity, Enqueue why) {
    queue.update_curr(now);
    queue.enqueue(entity, why);
  }
  bool dequeue(SchedEntity& entity, bool sleeps) {
    queue.update_curr(now);
    return queue.dequeue(entity, sleeps);
  }
  void wake(SchedEntity& entity) {
    queue.update_curr(now);
    if (entity.sched_delayed) return queue.requeue_delayed(entity);
    queue.enqueue(entity, Enqueue::wakeup);
  }
  void run_for(Nanoseconds duration) {
    now += duration;
    queue.update_curr(now);
  }
  // Whoever it is that should: `entity` runs, for so long.
  void run(SchedEntity& entity, Nanoseconds duration) {
    set_next(entity);
    run_for(duration);
  }
  void set_next(SchedEntity& entity) {
    if (queue.curr() != nullptr) queue.put_prev();
    queue.set_next(entity, now);
  }
  // __schedule
  SchedEntity* reschedule() {
    queue.update_curr(now);
    SchedEntity* next = queue.pick();
    for (; next != nullptr && next->sched_delayed; next = queue.pick()) queue.dequeue_delayed(*next);
    if (next == nullptr || next == queue.curr()) return next;
    set_next(*next);
    return next;
  }
  bool tick() {
    run_for(rules.tick);
    if (queue.curr() == nullptr) return false;
    return rules.flavour == FairFlavour::eevdf ? queue.take_slice_used() : queue.check_preempt_tick(slice());
  }
  void tick_and_reschedule() {
    if (tick()) reschedule();
  }
  // sched_slice
  [[nodiscard]] Nanoseconds slice() const {
    const auto tasks = static_cast<std::int64_t>(queue.nr_running());
    const Nanoseconds period = tasks > 8 ? tasks * rules.min_granularity : rules.latency;
    return std::max(period * queue.curr()->weight / queue.load(), rules.min_granularity);
  }

  const FairRules rules;
  CfsRq queue;
  Time now{};
};

// Entities of given weights, which are on one queue from the beginning if nothing else is said.
class World {
 public:
  explicit World(const FairRules& rules, const std::vector<std::int64_t>& weights = {}) : cpu(rules) {
    for (const std::int64_t weight : weights) cpu.enqueue(make(weight), Enqueue::initial);
  }

  SchedEntity& make(std::int64_t weight) {
    entities.emplace_back().weight = weight;
    return entities.back();
  }
  SchedEntity& operator[](std::size_t number) { return entities[number]; }

  // V: the weighted mean of the virtual times, rounded down.
  [[nodiscard]] std::int64_t mean() const {
    Wide sum = 0;
    std::int64_t load = 0;
    for (const SchedEntity& entity : entities) {
      if (!entity.on_rq) continue;
      sum += Wide{vruntime(entity)} * entity.weight;
      load += entity.weight;
    }
    return static_cast<std::int64_t>(sum / load - (sum % load < 0 ? 1 : 0));
  }
  [[nodiscard]] std::int64_t lag(const SchedEntity& entity) const { return mean() - vruntime(entity); }

  // lag >= 0, without rounding.
  [[nodiscard]] bool eligible(const SchedEntity& entity) const {
    Wide sum = 0;
    for (const SchedEntity& each : entities) {
      if (each.on_rq) sum += (Wide{vruntime(each)} - vruntime(entity)) * each.weight;
    }
    return sum >= 0;
  }

  // Where they stand, as the least of the queue.
  [[nodiscard]] std::int64_t least_vruntime() const {
    std::int64_t least = INT64_MAX;
    for (const SchedEntity& entity : entities) {
      if (entity.on_rq) least = std::min(least, vruntime(entity));
    }
    return least;
  }

  Cpu cpu;
  std::deque<SchedEntity> entities;
};

constexpr std::int64_t kOne = kNice0Load;

// ---------------------------------------------------------------------------------------------------------------
// Weights and tunables

TEST(WeightTest, TheTableIsThatOfTheKernel) {
  const std::map<int, std::int64_t> spots{{-20, 88761}, {-10, 9548}, {-5, 3121}, {-1, 1277}, {0, 1024}, {1, 820},
                                          {5, 335},     {10, 110},   {15, 36},   {18, 18},   {19, 15}};
  for (const auto& [nice, weight] : spots) EXPECT_EQ(weight_of_nice(nice), weight) << nice;
}

// The last entries are so small that rounding to whole numbers is 4 % of them.
TEST(WeightTest, AStepOfNicenessIsAFactorOfAbout1Point25) {
  for (int nice = -20; nice < 19; ++nice) {
    const double ratio = static_cast<double>(weight_of_nice(nice)) / static_cast<double>(weight_of_nice(nice + 1));
    EXPECT_NEAR(ratio, 1.25, 0.06) << nice;
  }
}

// get_update_sysctl_factor
TEST(FairRulesTest, TunablesGrowWithTheLogarithmOfUpToEightCpus) {
  const std::map<int, int> factors{{1, 1}, {2, 2}, {3, 2}, {4, 3}, {7, 3}, {8, 4}, {9, 4}, {16, 4}, {192, 4}};
  for (const auto& [cpus, factor] : factors) {
    const FairRules rules = fair_rules(SchedulerSpec{}, cpus);
    EXPECT_EQ(rules.latency, factor * 6ms) << cpus;
    EXPECT_EQ(rules.min_granularity, factor * 750us) << cpus;
    EXPECT_EQ(rules.wakeup_granularity, factor * 1ms) << cpus;
    EXPECT_EQ(rules.base_slice, factor * 750us) << cpus;
    EXPECT_EQ(rules.tick, 4ms) << cpus;
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Shares

struct Share {
  FairRules rules;
  std::vector<int> nices;
};

class ShareTest : public testing::TestWithParam<Share> {};

constexpr std::int64_t kTicks = 20'000;

// What each entity has had after kTicks ticks in which all of them could always run.
void check_shares(World& world, Nanoseconds bound) {
  world.cpu.reschedule();
  for (std::int64_t tick = 0; tick < kTicks; ++tick) world.cpu.tick_and_reschedule();
  const Nanoseconds total = kTicks * world.cpu.rules.tick;
  Nanoseconds sum{};
  for (const SchedEntity& entity : world.entities) {
    const Nanoseconds ideal = total * entity.weight / world.cpu.queue.load();
    // Each charge loses less than a nanosecond of virtual time.
    const Nanoseconds rounding{kTicks * (entity.weight / kNice0Load + 1)};
    EXPECT_LE(std::abs((entity.sum_exec_runtime - ideal).count()), (bound + rounding).count()) << entity.weight;
    sum += entity.sum_exec_runtime;
  }
  EXPECT_EQ(sum, total);
}

// Who is picked is the leftmost, or runs until the next tick; who runs gives way at a tick that finds more than its
// ideal (at most the latency). So nobody is ever further ahead of the leftmost than (latency + tick), in its own
// virtual time, and nobody starts with more than a latency. Hence |service - leftmost's virtual time x weight| <=
// latency + tick; summed up over n entities, and each compared with the mean: at most (1 + n) times that.
Nanoseconds cfs_bound(const FairRules& rules, std::size_t entities) {
  return (rules.latency + rules.tick) * static_cast<std::int64_t>(1 + entities);
}

// Who is picked has no negative lag and gives way at the tick that finds its slice used up. So no lag is below
// -(slice + tick); they add up to 0, so none is above n - 1 times that.
Nanoseconds eevdf_bound(const FairRules& rules, std::size_t entities) {
  return (rules.base_slice + rules.tick) * static_cast<std::int64_t>(entities);
}

TEST_P(ShareTest, EachHasItsWeightsShareOfTheCpu) {
  const auto& [rules, nices] = GetParam();
  std::vector<std::int64_t> weights;
  for (const int nice : nices) weights.push_back(weight_of_nice(nice));
  World world(rules, weights);
  const bool cfs = rules.flavour == FairFlavour::cfs;
  check_shares(world, cfs ? cfs_bound(rules, nices.size()) : eevdf_bound(rules, nices.size()));
}

std::vector<Share> shares() {
  std::vector<Share> all;
  for (const FairRules& rules : {kCfs, kEevdf, kDelayed}) {
    for (const std::vector<int>& nices : std::vector<std::vector<int>>{
             {0}, {0, 0}, {0, 5}, {19, -20}, {-5, 0, 5}, {0, 0, 3, 3, 6, 6}, {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1}}) {
      all.push_back({rules, nices});
    }
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(, ShareTest, testing::ValuesIn(shares()));

// With the bounds above: from its worst to its best an entity waits while the others have what it is owed.
void check_waits(World& world, Nanoseconds debt) {
  std::map<const SchedEntity*, Time> last_ran;
  world.cpu.reschedule();
  for (int tick = 0; tick < 5'000; ++tick) {
    last_ran[world.cpu.queue.curr()] = world.cpu.now + world.cpu.rules.tick;
    world.cpu.tick_and_reschedule();
    for (const SchedEntity& entity : world.entities) {
      ASSERT_LE((world.cpu.now - last_ran[&entity]).count(), (debt * world.cpu.queue.load() / entity.weight).count())
          << "weight " << entity.weight << " at tick " << tick;
    }
  }
}

// It is ahead of its share by at most the bound on one side, and behind by at most that on the other.
TEST_P(ShareTest, NobodyWaitsLongerThanTheOthersTakeForWhatItIsOwed) {
  const auto& [rules, nices] = GetParam();
  std::vector<std::int64_t> weights;
  for (const int nice : nices) weights.push_back(weight_of_nice(nice));
  World world(rules, weights);
  const bool cfs = rules.flavour == FairFlavour::cfs;
  check_waits(world, 2 * (cfs ? cfs_bound(rules, nices.size()) : eevdf_bound(rules, nices.size())) + rules.tick);
}

TEST(ShareOfTest, APeriodIsDividedByWeight) {
  World world(kCfs, {1024, 2048, 1024});
  EXPECT_EQ(world.cpu.queue.share_of(world[0], 24ms), 6ms);
  EXPECT_EQ(world.cpu.queue.share_of(world[1], 24ms), 12ms);
}

TEST(UpdateCurrTest, TimeIsChargedOnceAndVirtualTimeRunsSlowerForTheHeavier) {
  World world(kCfs, {2 * kOne, kOne});
  const std::int64_t before = vruntime(world[0]);
  world.cpu.set_next(world[0]);
  world.cpu.now += 6ms;
  EXPECT_EQ(world.cpu.queue.update_curr(world.cpu.now), 6ms);
  EXPECT_EQ(world.cpu.queue.update_curr(world.cpu.now), 0ms);
  EXPECT_EQ(world[0].sum_exec_runtime, 6ms);
  EXPECT_EQ(vruntime(world[0]) - before, Nanoseconds{3ms}.count());
}

TEST(UpdateCurrTest, OneThatIsOnItsWayToTheCpuIsNotChargedForTheWay) {
  World world(kCfs, {kOne});
  world.cpu.queue.set_next(world[0], world.cpu.now + 5us);
  EXPECT_EQ(world.cpu.queue.update_curr(world.cpu.now + 2us), 0ns);
  EXPECT_EQ(world.cpu.queue.update_curr(world.cpu.now + 7us), 2us);
}

// ---------------------------------------------------------------------------------------------------------------
// cfs

TEST(CfsTest, TheOneThatHasHadLeastVirtualTimeIsPicked) {
  World world(kCfs, {kOne, kOne, kOne});
  world.cpu.run(world[0], 9ms);
  world.cpu.run(world[1], 2ms);
  world.cpu.run(world[2], 5ms);
  world.cpu.queue.put_prev();
  // Their places differed at the beginning: slices of 24, 12 and 8 ms.
  std::vector<SchedEntity*> order;
  while (SchedEntity* const next = world.cpu.queue.pick()) {
    order.push_back(next);
    world.cpu.dequeue(*next, true);
  }
  ASSERT_EQ(order.size(), 3U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end(),
                             [](const auto* a, const auto* b) { return vruntime(*a) < vruntime(*b); }));
  EXPECT_EQ(order.front(), &world[2]);  // 8 + 5 before 12 + 2 before 24 + 9
}

TEST(CfsTest, OfEqualOnesTheOneThatCameFirstIsPickedAndWhoRanGoesBehind) {
  World world(kCfs);
  for (int number = 0; number < 3; ++number) world.cpu.enqueue(world.make(kOne), Enqueue::wakeup);
  std::vector<const SchedEntity*> order;
  for (int turn = 0; turn < 6; ++turn) {
    order.push_back(world.cpu.reschedule());
    world.cpu.run_for(5ms);
  }
  EXPECT_EQ(order, (std::vector<const SchedEntity*>{&world[0], &world[1], &world[2], &world[0], &world[1], &world[2]}));
}

// entity_before(curr, left) is strict.
TEST(CfsTest, TheOneThatRunsStaysOnlyIfItIsAheadOfTheLeftmost) {
  World world(kCfs);
  for (int number = 0; number < 2; ++number) world.cpu.enqueue(world.make(kOne), Enqueue::wakeup);
  world.cpu.run(world[1], 2ms);
  world.cpu.run(world[0], 2ms - 1ns);
  EXPECT_EQ(world.cpu.queue.pick(), &world[0]);
  world.cpu.run_for(1ns);
  EXPECT_EQ(world.cpu.queue.pick(), &world[1]);
}

TEST(CfsTest, TheTickTakesTheCpuFromOneThatHasHadMoreThanItsSlice) {
  World world(kCfs, {kOne, kOne});
  world.cpu.run(world[0], 0ms);
  // Ahead of the other by no more than it started behind it.
  ASSERT_GE(vruntime(world[0]), vruntime(world[1]));
  world.cpu.set_next(world[1]);
  world.cpu.run_for(12ms);
  EXPECT_FALSE(world.cpu.queue.check_preempt_tick(12ms));
  world.cpu.run_for(1ns);
  EXPECT_TRUE(world.cpu.queue.check_preempt_tick(12ms));
}

TEST(CfsTest, NoSliceIsLongerThanTheLatency) {
  World world(kCfs, {kOne, kOne});
  world.cpu.run(world[1], 24ms);
  EXPECT_FALSE(world.cpu.queue.check_preempt_tick(36ms));
  world.cpu.run_for(1ns);
  EXPECT_TRUE(world.cpu.queue.check_preempt_tick(36ms));
}

TEST(CfsTest, TheTickTakesTheCpuFromOneThatIsAheadOfTheLeftmostByMoreThanItsSlice) {
  World world(kCfs);
  for (int number = 0; number < 2; ++number) world.cpu.enqueue(world.make(kOne), Enqueue::wakeup);
  world.cpu.run(world[0], 10ms);
  world.cpu.set_next(world[0]);  // its slice begins anew: it is 10 ms ahead
  world.cpu.run_for(2ms);
  EXPECT_FALSE(world.cpu.queue.check_preempt_tick(12ms));
  world.cpu.run_for(1ms);
  EXPECT_TRUE(world.cpu.queue.check_preempt_tick(12ms));
}

TEST(CfsTest, ForTheMinimumGranularityTheTickLeavesItAlone) {
  World world(kCfs);
  for (int number = 0; number < 2; ++number) world.cpu.enqueue(world.make(kOne), Enqueue::wakeup);
  world.cpu.run(world[0], 30ms);
  world.cpu.set_next(world[0]);
  world.cpu.run_for(3ms - 1ns);
  EXPECT_FALSE(world.cpu.queue.check_preempt_tick(12ms));
  world.cpu.run_for(1ns);
  EXPECT_TRUE(world.cpu.queue.check_preempt_tick(12ms));
}

TEST(CfsTest, TheTickLeavesOneAloneThatHasTheCpuToItself) {
  World world(kCfs, {kOne});
  world.cpu.run(world[0], 1s);
  EXPECT_FALSE(world.cpu.queue.check_preempt_tick(24ms));
}

TEST(CfsTest, ASleeperWakesAtMostHalfALatencyBeforeTheOthers) {
  World world(kCfs, {kOne, kOne});
  world.cpu.dequeue(world[0], true);
  world.cpu.run(world[1], 1s);
  world.cpu.wake(world[0]);
  EXPECT_EQ(vruntime(world[1]) - vruntime(world[0]), Nanoseconds{12ms}.count());
}

TEST(CfsTest, ASleeperGainsNothingByAShortSleep) {
  World world(kCfs);
  for (int number = 0; number < 2; ++number) world.cpu.enqueue(world.make(kOne), Enqueue::wakeup);
  world.cpu.run(world[0], 7ms);
  const std::int64_t before = vruntime(world[0]);
  world.cpu.dequeue(world[0], true);
  world.cpu.run(world[1], 10ms);
  world.cpu.wake(world[0]);
  EXPECT_EQ(vruntime(world[0]), before);
}

// The credit is counted from min_vruntime, which never goes back when a sleeper with credit comes.
TEST(CfsTest, SleepersThatWakeTogetherGetTheSameCreditAndNotCreditOnCredit) {
  World world(kCfs, {kOne, kOne, kOne});
  world.cpu.dequeue(world[0], true);
  world.cpu.dequeue(world[1], true);
  world.cpu.run(world[2], 1s);
  world.cpu.wake(world[0]);
  world.cpu.wake(world[1]);
  EXPECT_EQ(vruntime(world[0]), vruntime(world[1]));
  EXPECT_EQ(vruntime(world[2]) - vruntime(world[1]), Nanoseconds{12ms}.count());
}

// Nor does it when that sleeper, with its credit, has the CPU.
TEST(CfsTest, ASleeperThatRunsOnItsCreditLeavesTheNextOneNoMore) {
  World world(kCfs, {kOne, kOne, kOne});
  world.cpu.dequeue(world[0], true);
  world.cpu.dequeue(world[1], true);
  world.cpu.run(world[2], 1s);
  const std::int64_t reached = vruntime(world[2]);
  world.cpu.wake(world[0]);
  world.cpu.run(world[0], 1ms);
  world.cpu.wake(world[1]);
  EXPECT_EQ(reached - vruntime(world[1]), Nanoseconds{12ms}.count());
}

TEST(CfsTest, AQueueThatWasEmptyRemembersHowFarItWas) {
  World world(kCfs, {kOne, kOne});
  world.cpu.dequeue(world[0], true);
  world.cpu.run(world[1], 1s);
  const std::int64_t reached = vruntime(world[1]);
  world.cpu.dequeue(world[1], true);
  world.cpu.wake(world[0]);
  EXPECT_EQ(vruntime(world[0]), reached - Nanoseconds{12ms}.count());
}

// wakeup_gran(): 4 ms in the virtual time of the one that woke, so 4 ms x 1024/36 for nice 15.
TEST(CfsTest, TheLeadThatItTakesToPreemptGrowsAsTheWokenOneIsLighter) {
  for (const int nice : {-10, 0, 5, 15}) {
    World world(kCfs);
    world.cpu.enqueue(world.make(kOne), Enqueue::wakeup);
    world.cpu.enqueue(world.make(weight_of_nice(nice)), Enqueue::wakeup);
    const Nanoseconds needed{virtual_ns(4ms, weight_of_nice(nice))};
    world.cpu.run(world[0], needed);
    EXPECT_FALSE(world.cpu.queue.wakeup_preempts(world[1])) << nice;
    world.cpu.run_for(1ns);
    EXPECT_TRUE(world.cpu.queue.wakeup_preempts(world[1])) << nice;
  }
}

TEST(CfsTest, NobodyPreemptsItselfOrAnIdleCpu) {
  World world(kCfs, {kOne});
  EXPECT_FALSE(world.cpu.queue.wakeup_preempts(world[0]));
  world.cpu.run(world[0], 1s);
  EXPECT_FALSE(world.cpu.queue.wakeup_preempts(world[0]));
}

// Three that stand at 20 ms (it runs), 0 (it waits) and `behind` (it has woken).
void set_up_buddies(World& world, Nanoseconds behind) {
  for (int number = 0; number < 3; ++number) world.cpu.enqueue(world.make(kOne), Enqueue::wakeup);
  world.cpu.run(world[2], behind);
  world.cpu.run(world[0], 20ms);
}

TEST(CfsTest, OneThatPreemptsIsPickedAlthoughItIsNotTheLeftmost) {
  World world(kCfs);
  set_up_buddies(world, 4ms);
  EXPECT_EQ(world.cpu.queue.pick(), &world[1]);
  ASSERT_TRUE(world.cpu.queue.wakeup_preempts(world[2]));
  EXPECT_EQ(world.cpu.queue.pick(), &world[2]);
  world.cpu.reschedule();
  EXPECT_EQ(world.cpu.queue.pick(), &world[1]) << "once";
}

TEST(CfsTest, OneThatPreemptsIsNotPickedIfItIsBehindTheLeftmostByMoreThanTheGranularity) {
  World world(kCfs);
  set_up_buddies(world, 4ms + 1ns);
  ASSERT_TRUE(world.cpu.queue.wakeup_preempts(world[2]));
  EXPECT_EQ(world.cpu.queue.pick(), &world[1]);
}

TEST(CfsTest, OneThatPreemptedAndSleptAgainIsForgotten) {
  World world(kCfs);
  set_up_buddies(world, 1ms);
  ASSERT_TRUE(world.cpu.queue.wakeup_preempts(world[2]));
  world.cpu.dequeue(world[2], true);
  EXPECT_EQ(world.cpu.queue.pick(), &world[1]);
}

// Two queues; what moves is one of three, of which one runs. dequeue_entity takes min_vruntime off before the queue's
// min_vruntime follows those that stay, so the distance is the one that it had while it was there.
void check_move(std::size_t moving) {
  World from(kCfs);
  World to(kCfs);
  for (int number = 0; number < 3; ++number) from.cpu.enqueue(from.make(kOne), Enqueue::wakeup);
  to.cpu.enqueue(to.make(kOne), Enqueue::wakeup);
  to.cpu.run(to[0], 700ms);
  from.cpu.run(from[0], 40ms);
  from.cpu.run(from[1], 45ms);
  from.cpu.run(from[2], 50ms);
  const std::int64_t distance = vruntime(from[moving]) - from.least_vruntime();
  from.cpu.dequeue(from[moving], false);
  CfsRq::leave_for_another(from[moving], from.cpu.queue);
  to.cpu.enqueue(from[moving], Enqueue::migrated);
  EXPECT_EQ(vruntime(from[moving]) - vruntime(to[0]), distance) << moving;
}

TEST(CfsTest, OneThatMovesWhileItIsRunnableKeepsItsDistanceToTheLeast) {
  check_move(1);
  check_move(2);
}

TEST(CfsTest, TheLeftmostThatMovesIsTheLeftmostWhereItComes) { check_move(0); }

TEST(CfsTest, ASleeperThatWakesElsewhereIsPlacedByItsDistanceAtThatMoment) {
  World from(kCfs);
  World to(kCfs);
  for (int number = 0; number < 2; ++number) from.cpu.enqueue(from.make(kOne), Enqueue::wakeup);
  to.cpu.enqueue(to.make(kOne), Enqueue::wakeup);
  to.cpu.run(to[0], 700ms);
  from.cpu.run(from[0], 20ms);
  from.cpu.dequeue(from[0], true);
  from.cpu.run(from[1], 25ms);  // 5 ms ahead of the sleeper now
  CfsRq::leave_for_another(from[0], from.cpu.queue);
  to.cpu.wake(from[0]);
  EXPECT_EQ(vruntime(to[0]) - vruntime(from[0]), Nanoseconds{5ms}.count());
}

// START_DEBIT: sched_vslice, with the newcomer counted among the runnable.
TEST(CfsTest, ANewcomerStandsASliceBehind) {
  World world(kCfs);
  world.cpu.enqueue(world.make(kOne), Enqueue::wakeup);
  world.cpu.run(world[0], 100ms);
  SchedEntity& second = world.make(kOne);
  world.cpu.enqueue(second, Enqueue::initial);
  EXPECT_EQ(vruntime(second) - vruntime(world[0]), Nanoseconds{12ms}.count());
  SchedEntity& heavy = world.make(2 * kOne);
  world.cpu.enqueue(heavy, Enqueue::initial);
  EXPECT_EQ(vruntime(heavy) - vruntime(world[0]), Nanoseconds{12ms}.count() / 2);
}

TEST(CfsTest, ANewcomersSliceIsAtLeastTheMinimumGranularity) {
  World world(kCfs);
  world.cpu.enqueue(world.make(kOne), Enqueue::wakeup);
  SchedEntity& light = world.make(weight_of_nice(19));
  world.cpu.enqueue(light, Enqueue::initial);
  EXPECT_EQ(vruntime(light) - vruntime(world[0]), virtual_ns(3ms, weight_of_nice(19)));
}

TEST(CfsTest, WithMoreThanEightThePeriodGrows) {
  World world(kCfs);
  for (int number = 0; number < 11; ++number) world.cpu.enqueue(world.make(kOne), Enqueue::wakeup);
  SchedEntity& heavy = world.make(4 * kOne);  // 12 tasks: 36 ms, of which it has 4/15
  world.cpu.enqueue(heavy, Enqueue::initial);
  EXPECT_EQ(vruntime(heavy), Nanoseconds{36ms}.count() * 4 / 15 / 4);
}

// ---------------------------------------------------------------------------------------------------------------
// eevdf

TEST(EevdfTest, ANewcomerHasNoLagAndHalfASlice) {
  World world(kEevdf, {kOne, 2 * kOne});
  world.cpu.run(world[0], 5ms);
  SchedEntity& newcomer = world.make(2 * kOne);
  world.cpu.enqueue(newcomer, Enqueue::initial);
  EXPECT_NEAR(static_cast<double>(world.lag(newcomer)), 0, 1);
  EXPECT_EQ(deadline(newcomer) - vruntime(newcomer), Nanoseconds{3ms}.count() / 2 / 2);
}

TEST(EevdfTest, WhoHasHadMoreThanItsShareIsNotPickedAlthoughItsDeadlineIsTheEarliest) {
  World world(kEevdf, {kOne, 8 * kOne});
  // The heavy one has the earliest deadline as its slice is short in virtual time, until it is ahead of the mean.
  EXPECT_EQ(world.cpu.reschedule(), &world[1]);
  world.cpu.run_for(1ns * 8);
  world.cpu.queue.put_prev();
  ASSERT_LT(deadline(world[1]), deadline(world[0]));
  ASSERT_LT(world.lag(world[1]), 0);
  EXPECT_EQ(world.cpu.queue.pick(), &world[0]);
}

TEST(EevdfTest, WhoHasHadExactlyItsShareIsEligible) {
  World world(kEevdf, {kOne, kOne});
  world.cpu.run(world[0], 4ms);
  world.cpu.run(world[1], 4ms);
  world.cpu.queue.put_prev();
  ASSERT_EQ(world.lag(world[0]), 0);
  ASSERT_EQ(world.lag(world[1]), 0);
  EXPECT_EQ(world.cpu.queue.pick(), &world[0]);
}

TEST(EevdfTest, OfThoseThatAreEligibleTheEarliestDeadlineIsPicked) {
  World world(kEevdf, {kOne, kOne, 2 * kOne, kOne});
  world.cpu.run(world[3], 10ms);
  world.cpu.queue.put_prev();
  // All but the last are behind the mean. Deadlines of newcomers: half a slice by weight.
  EXPECT_EQ(world.cpu.queue.pick(), &world[2]);
  world.cpu.dequeue(world[2], true);
  EXPECT_EQ(world.cpu.queue.pick(), &world[0]) << "who came first";
}

// pick_eevdf takes the one that runs only if entity_before(curr, best), which is strict.
TEST(EevdfTest, OfEqualDeadlinesTheOneThatWaitsGoesBeforeTheOneThatRuns) {
  World world(kEevdf, {kOne, kOne});
  ASSERT_EQ(world.cpu.reschedule(), &world[0]);
  world.cpu.run_for(4ms);
  ASSERT_EQ(world.cpu.reschedule(), &world[1]);
  world.cpu.run_for(4ms);  // both have had 4 ms, and have a slice before them
  ASSERT_EQ(deadline(world[0]), deadline(world[1]));
  EXPECT_EQ(world.cpu.reschedule(), &world[0]);
}

TEST(EevdfTest, EqualsTakeTurnsATickLongWhereASliceIsShorterThanATick) {
  World world(kEevdf, {kOne, kOne, kOne});
  world.cpu.reschedule();
  const SchedEntity* before = nullptr;
  for (int tick = 0; tick < 30; ++tick) {
    EXPECT_NE(world.cpu.queue.curr(), before) << tick;
    before = world.cpu.queue.curr();
    world.cpu.tick_and_reschedule();
  }
}

TEST(EevdfTest, TheTickAsksForANewChoiceWhenTheSliceIsUsedUp) {
  World world(kEevdf, {kOne, kOne});
  world.cpu.reschedule();
  world.cpu.run_for(1'500us - 1ns);  // a newcomer's deadline is half a slice ahead
  EXPECT_FALSE(world.cpu.queue.take_slice_used());
  world.cpu.run_for(1ns);
  EXPECT_TRUE(world.cpu.queue.take_slice_used());
  EXPECT_FALSE(world.cpu.queue.take_slice_used()) << "once";
}

TEST(EevdfTest, TheTickLeavesOneAloneThatHasTheCpuToItself) {
  World world(kEevdf, {kOne});
  world.cpu.reschedule();
  world.cpu.run_for(1s);
  EXPECT_FALSE(world.cpu.queue.take_slice_used());
}

// One that runs, has lag to spare and is within its slice; a heavy sleeper, whose deadline will be earlier.
struct Parity {
  World world{kEevdf};
  SchedEntity& runs = world.make(kOne);
  SchedEntity& waits = world.make(kOne);
  SchedEntity& sleeps = world.make(8 * kOne);

  Parity() {
    world.cpu.enqueue(runs, Enqueue::initial);
    world.cpu.enqueue(waits, Enqueue::initial);
    world.cpu.run(waits, 6ms);  // so that `runs` is owed 3 ms
    world.cpu.set_next(runs);
  }
};

TEST(EevdfTest, OneThatIsEligibleAndWithinItsSliceIsNotPreempted) {
  Parity parity;
  parity.world.cpu.run_for(1ms);
  parity.world.cpu.wake(parity.sleeps);
  ASSERT_TRUE(parity.world.eligible(parity.runs));
  ASSERT_LT(deadline(parity.sleeps), deadline(parity.runs) + Nanoseconds{3ms}.count());
  EXPECT_FALSE(parity.world.cpu.queue.wakeup_preempts(parity.sleeps));
  EXPECT_EQ(parity.world.cpu.queue.pick(), &parity.runs);
}

TEST(EevdfTest, OneThatHasHadMoreThanItsShareIsPreempted) {
  World world(kEevdf, {kOne, kOne});
  world.cpu.reschedule();
  world.cpu.run_for(1ms);  // within its slice
  SchedEntity& woken = world.make(8 * kOne);
  world.cpu.wake(woken);
  ASSERT_FALSE(world.eligible(*world.cpu.queue.curr()));
  EXPECT_TRUE(world.cpu.queue.wakeup_preempts(woken));
}

TEST(EevdfTest, OneThatIsEligibleIsPreemptedOnceItsSliceIsUsedUp) {
  Parity parity;
  parity.world.cpu.run_for(2ms);  // a newcomer's slice is 1.5 ms; it is owed 1 ms still
  parity.world.cpu.wake(parity.sleeps);
  ASSERT_TRUE(parity.world.eligible(parity.runs));
  ASSERT_LT(deadline(parity.sleeps), deadline(parity.runs));
  EXPECT_TRUE(parity.world.cpu.queue.wakeup_preempts(parity.sleeps));
}

TEST(EevdfTest, AWokenOneWithALaterDeadlineThanAnotherDoesNotPreempt) {
  World world(kEevdf, {kOne, 8 * kOne});
  world.cpu.run(world[0], 1ms);
  SchedEntity& woken = world.make(weight_of_nice(10));
  world.cpu.wake(woken);
  EXPECT_FALSE(world.cpu.queue.wakeup_preempts(woken)) << "the heavy one is the next";
}

// ---------------------------------------------------------------------------------------------------------------
// eevdf: lag

// Lags of different sizes: the first runs, the others wait.
void spread(World& world, Nanoseconds ran) {
  world.cpu.run(world[0], ran);
  world.cpu.run(world[1], ran / 3);
  world.cpu.queue.put_prev();
}

TEST(EevdfLagTest, WhoSleepsAndWakesHasTheLagThatItHad) {
  for (const std::size_t sleeper : {std::size_t{0}, std::size_t{1}, std::size_t{2}}) {
    World world(kEevdf, {3 * kOne, kOne, 820});
    spread(world, 4ms);
    const std::int64_t before = world.lag(world[sleeper]);
    ASSERT_NE(before, 0);
    world.cpu.dequeue(world[sleeper], true);
    world.cpu.now += 100ms;
    world.cpu.wake(world[sleeper]);
    EXPECT_NEAR(static_cast<double>(world.lag(world[sleeper])), static_cast<double>(before), 2) << sleeper;
  }
}

TEST(EevdfLagTest, ItHasTheLagThatItHadAlthoughOthersRanCameAndWent) {
  World world(kEevdf, {3 * kOne, kOne, 820, kOne});
  spread(world, 5ms);
  const std::int64_t before = world.lag(world[2]);
  world.cpu.dequeue(world[2], true);
  world.cpu.run(world[0], 50ms);
  world.cpu.dequeue(world[1], true);
  world.cpu.enqueue(world.make(5 * kOne), Enqueue::initial);
  world.cpu.run(world[3], 7ms);
  world.cpu.wake(world[2]);
  EXPECT_NEAR(static_cast<double>(world.lag(world[2])), static_cast<double>(before), 2);
}

// v' = V - lag (W + w) / W. One of two equals runs 2 ms and is 1 ms ahead of the mean; the other alone is the mean when
// it comes back, and the two together make twice the one's weight.
TEST(EevdfLagTest, TheWokenOneIsPlacedFurtherOffAsItsWeightPullsTheMean) {
  World world(kEevdf, {kOne, kOne});
  const std::int64_t start = vruntime(world[0]);
  world.cpu.run(world[0], 2ms);
  world.cpu.dequeue(world[0], true);  // lag -1 ms
  world.cpu.wake(world[0]);           // V = start; W = w: twice the lag
  EXPECT_EQ(vruntime(world[0]) - start, Nanoseconds{2ms}.count());
}

// update_entity_lag: at most two slices or a tick, in its own virtual time.
TEST(EevdfLagTest, NobodyTakesMoreThanTwoSlicesOfLagToSleep) {
  for (const std::int64_t weight : {kOne, 2 * kOne, weight_of_nice(5)}) {
    World world(kEevdf, {weight, kOne, kOne});
    world.cpu.run(world[1], 1s);
    world.cpu.dequeue(world[0], true);
    world.cpu.wake(world[0]);
    EXPECT_NEAR(static_cast<double>(world.lag(world[0])), static_cast<double>(virtual_ns(6ms, weight)), 2);
    world.cpu.run(world[0], 1s);
    world.cpu.dequeue(world[0], true);
    world.cpu.wake(world[0]);
    EXPECT_NEAR(static_cast<double>(world.lag(world[0])), static_cast<double>(-virtual_ns(6ms, weight)), 2);
  }
}

TEST(EevdfLagTest, WhoWakesOnAnEmptyQueueStartsEven) {
  World world(kEevdf, {kOne, kOne});
  world.cpu.run(world[0], 3ms);
  world.cpu.dequeue(world[0], true);
  world.cpu.dequeue(world[1], true);
  world.cpu.wake(world[0]);
  EXPECT_EQ(world.lag(world[0]), 0);
}

TEST(EevdfLagTest, WhoMovesTakesItsLagAndTheRestOfItsSliceAlong) {
  World from(kEevdf, {kOne, kOne});
  World to(kEevdf, {kOne});
  to.cpu.run(to[0], 300ms);
  from.cpu.run(from[0], 1ms);
  from.cpu.queue.put_prev();
  SchedEntity& moves = from[0];
  const std::int64_t lag = from.lag(moves);
  const std::int64_t rest = deadline(moves) - vruntime(moves);
  from.cpu.dequeue(moves, false);
  CfsRq::leave_for_another(moves, from.cpu.queue);
  to.cpu.enqueue(moves, Enqueue::migrated);
  const std::int64_t mean = (vruntime(moves) + vruntime(to[0])) / 2;
  EXPECT_NEAR(static_cast<double>(mean - vruntime(moves)), static_cast<double>(lag), 2);
  EXPECT_EQ(deadline(moves) - vruntime(moves), rest);
}

// reweight_eevdf: what it is owed in real time stays, and so does the mean.
TEST(EevdfLagTest, ANewWeightLeavesTheMeanAndWhatItIsOwed) {
  for (const std::int64_t weight : {kOne / 3, 5 * kOne}) {
    World world(kEevdf, {kOne, kOne, 2 * kOne});
    spread(world, 4ms);
    const std::int64_t mean = world.mean();
    const std::int64_t owed = world.lag(world[0]) * world[0].weight;
    world.cpu.queue.reweight(world[0], weight);
    EXPECT_EQ(world.cpu.queue.load(), 3 * kOne + weight);
    EXPECT_NEAR(static_cast<double>(world.mean() - mean), 0, 2);
    EXPECT_NEAR(static_cast<double>(world.lag(world[0]) * weight), static_cast<double>(owed),
                2.0 * static_cast<double>(weight));
  }
}

// In the kernel a new weight gives it another deadline than the one it was picked with: that cannot protect it.
TEST(EevdfLagTest, ANewWeightIsNoNewSlice) {
  World world(kEevdf, {kOne, kOne, 8 * kOne});
  world.cpu.run(world[1], 30ms);
  world.cpu.run(world[0], 2ms);  // more than the 1.5 ms that it had; it is owed more still
  ASSERT_TRUE(world.eligible(world[0]));
  ASSERT_EQ(world.cpu.queue.pick(), &world[2]);
  world.cpu.queue.reweight(world[0], kOne - 1);
  ASSERT_TRUE(world.eligible(world[0]));
  EXPECT_EQ(world.cpu.queue.pick(), &world[2]);
}

// ---------------------------------------------------------------------------------------------------------------
// eevdf: delayed dequeue

TEST(DelayedDequeueTest, WhoSleepsWithPositiveLagLeavesAtOnce) {
  World world(kDelayed, {kOne, kOne});
  world.cpu.run(world[1], 2ms);
  EXPECT_TRUE(world.cpu.dequeue(world[0], true));
  EXPECT_FALSE(world[0].sched_delayed);
  EXPECT_EQ(world.cpu.queue.nr_running(), 1U);
}

TEST(DelayedDequeueTest, WhoSleepsWithNegativeLagStaysAndCounts) {
  World world(kDelayed, {kOne, 3 * kOne});
  world.cpu.run(world[0], 1ms);
  EXPECT_FALSE(world.cpu.dequeue(world[0], true));
  EXPECT_TRUE(world[0].sched_delayed);
  EXPECT_TRUE(world[0].on_rq);
  EXPECT_EQ(world.cpu.queue.curr(), nullptr);
  EXPECT_EQ(world.cpu.queue.nr_running(), 2U);
  EXPECT_EQ(world.cpu.queue.load(), 4 * kOne);
}

TEST(DelayedDequeueTest, WhoMovesLeavesAtOnceWhateverItsLag) {
  World world(kDelayed, {kOne, kOne});
  world.cpu.run(world[0], 1ms);
  EXPECT_TRUE(world.cpu.dequeue(world[0], false));
  EXPECT_FALSE(world[0].sched_delayed);
}

TEST(DelayedDequeueTest, InLinux66ASleeperLeavesAtOnceWhateverItsLag) {
  World world(kEevdf, {kOne, kOne});
  world.cpu.run(world[0], 1ms);
  EXPECT_TRUE(world.cpu.dequeue(world[0], true));
  EXPECT_EQ(world.cpu.queue.nr_running(), 1U);
}

// It stands 3 ms ahead of the other; it is picked when the mean has reached it and its deadline is the earliest.
TEST(DelayedDequeueTest, TheSleeperIsTakenOffWhenItIsPickedAndHasNoLagLeftThen) {
  World world(kDelayed, {kOne, kOne});
  world.cpu.run(world[0], 3ms);
  ASSERT_FALSE(world.cpu.dequeue(world[0], true));
  ASSERT_EQ(world.cpu.reschedule(), &world[1]);
  world.cpu.run_for(3ms - 1ns);
  world.cpu.reschedule();
  EXPECT_TRUE(world[0].on_rq) << "it is ahead still";
  world.cpu.run_for(5ms);
  EXPECT_EQ(world.cpu.reschedule(), &world[1]) << "not the sleeper";
  EXPECT_FALSE(world[0].on_rq);
  EXPECT_FALSE(world[0].sched_delayed);
  EXPECT_EQ(world.cpu.queue.nr_running(), 1U);
  EXPECT_EQ(world.cpu.queue.load(), kOne);
  world.cpu.wake(world[0]);
  EXPECT_NEAR(static_cast<double>(world.lag(world[0])), 0, 2) << "DELAY_ZERO";
}

// It keeps what it owes: as it has not stayed to pay for it all.
TEST(DelayedDequeueTest, WhoWakesWhileItOwesStillHasTheSameDebt) {
  World world(kDelayed, {kOne, kOne});
  world.cpu.run(world[0], 3ms);
  ASSERT_FALSE(world.cpu.dequeue(world[0], true));
  world.cpu.run(world[1], 1ms);
  const std::int64_t vruntime_before = vruntime(world[0]);
  const std::int64_t deadline_before = deadline(world[0]);
  ASSERT_LT(world.lag(world[0]), 0);
  world.cpu.wake(world[0]);
  EXPECT_FALSE(world[0].sched_delayed);
  EXPECT_TRUE(world[0].on_rq);
  EXPECT_EQ(vruntime(world[0]), vruntime_before);
  EXPECT_EQ(deadline(world[0]), deadline_before);
  EXPECT_EQ(world.cpu.queue.nr_running(), 2U);
  EXPECT_EQ(world.cpu.queue.load(), 2 * kOne);
}

TEST(DelayedDequeueTest, WhoWakesBeforeItIsTakenOffHasWonNoLagByStaying) {
  World world(kDelayed, {kOne, 2 * kOne, kOne});
  world.cpu.run(world[0], 3ms);
  ASSERT_FALSE(world.cpu.dequeue(world[0], true));
  world.cpu.run(world[1], 40ms);
  ASSERT_GT(world.lag(world[0]), 0);
  world.cpu.wake(world[0]);
  EXPECT_NEAR(static_cast<double>(world.lag(world[0])), 0, 2);
  EXPECT_EQ(deadline(world[0]) - vruntime(world[0]), Nanoseconds{3ms}.count());
  EXPECT_EQ(world.cpu.queue.nr_running(), 3U);
  EXPECT_EQ(world.cpu.queue.load(), 4 * kOne);
}

TEST(DelayedDequeueTest, AGroupsEntityIsNeverDequeuedLate) {
  World world(kDelayed, {kOne, kOne});
  CfsRq below(world.cpu.rules);
  world[0].my_q = &below;
  world.cpu.run(world[0], 3ms);
  EXPECT_TRUE(world.cpu.dequeue(world[0], true));
  EXPECT_FALSE(world[0].on_rq);
}

// ---------------------------------------------------------------------------------------------------------------
// Histories: what holds whatever happens

// Two queues, and entities that sleep, wake and move between them.
class History {
 public:
  History(const FairRules& rules, const std::vector<std::int64_t>& weights) : cpus_{Cpu(rules), Cpu(rules)} {
    for (const std::int64_t weight : weights) {
      entities_.emplace_back().weight = weight;
      home_.push_back(0);
    }
    for (SchedEntity& entity : entities_) cpus_[0].enqueue(entity, Enqueue::initial);
    for (Cpu& cpu : cpus_) cpu.reschedule();
  }

  void tick(Nanoseconds more = {}) {
    for (Cpu& cpu : cpus_) {
      const bool gives_way = cpu.tick();
      if (gives_way) cpu.reschedule();
      cpu.run_for(more);
    }
  }

  // It sleeps if it is awake, and wakes if it sleeps; on the queue that it was on.
  void sleep_or_wake(std::size_t number) {
    SchedEntity& entity = entities_[number];
    Cpu& cpu = cpus_[home_[number]];
    if (entity.on_rq && !entity.sched_delayed) {
      const bool ran = cpu.queue.curr() == &entity;
      cpu.dequeue(entity, true);
      if (ran) cpu.reschedule();
      return;
    }
    cpu.wake(entity);
    if (cpu.queue.curr() == nullptr || cpu.queue.wakeup_preempts(entity)) cpu.reschedule();
  }

  // To the other queue: as pulled while it waits or runs, or as it wakes up. One whose dequeue is delayed stays.
  void move(std::size_t number) {
    SchedEntity& entity = entities_[number];
    if (entity.sched_delayed) return;
    Cpu& from = cpus_[home_[number]];
    const bool awake = entity.on_rq;
    if (awake) {
      const bool ran = from.queue.curr() == &entity;
      from.dequeue(entity, false);
      if (ran) from.reschedule();
    }
    CfsRq::leave_for_another(entity, from.queue);
    home_[number] = 1 - home_[number];
    Cpu& to = cpus_[home_[number]];
    to.enqueue(entity, awake ? Enqueue::migrated : Enqueue::wakeup);
    if (to.queue.curr() == nullptr || to.queue.wakeup_preempts(entity)) to.reschedule();
  }

  void check() const {
    for (std::size_t cpu = 0; cpu < cpus_.size(); ++cpu) check(cpu);
  }
  [[nodiscard]] std::size_t size() const { return entities_.size(); }

 private:
  [[nodiscard]] std::vector<const SchedEntity*> members(std::size_t cpu) const {
    std::vector<const SchedEntity*> on_queue;
    for (std::size_t number = 0; number < entities_.size(); ++number) {
      if (home_[number] == cpu && entities_[number].on_rq) on_queue.push_back(&entities_[number]);
    }
    return on_queue;
  }

  void check(std::size_t index) const {
    const CfsRq& queue = cpus_[index].queue;
    const std::vector<const SchedEntity*> on_queue = members(index);
    std::int64_t load = 0;
    bool runnable = false;
    for (const SchedEntity* entity : on_queue) {
      load += entity->weight;
      if (!entity->sched_delayed) runnable = true;
    }
    EXPECT_EQ(queue.load(), load);
    EXPECT_EQ(queue.nr_running(), on_queue.size());
    const SchedEntity* const picked = queue.pick();
    EXPECT_EQ(picked == nullptr, on_queue.empty());
    EXPECT_TRUE(!runnable || queue.curr() != nullptr) << "work conserving";
    if (picked == nullptr) return;
    EXPECT_TRUE(std::find(on_queue.begin(), on_queue.end(), picked) != on_queue.end());
    if (cpus_[index].rules.flavour == FairFlavour::eevdf) {
      check_eligible(queue, on_queue, *picked, load);
    } else {
      check_leftmost(on_queue, *picked);
    }
  }

  // The one picked is eligible; and if it is not the one that runs, no eligible one has an earlier deadline.
  static void check_eligible(const CfsRq& queue, const std::vector<const SchedEntity*>& on_queue,
                             const SchedEntity& picked, std::int64_t load) {
    Wide sum = 0;
    for (const SchedEntity* entity : on_queue) sum += Wide{vruntime(*entity)} * entity->weight;
    const auto eligible = [&](const SchedEntity& entity) { return Wide{vruntime(entity)} * load <= sum; };
    EXPECT_TRUE(eligible(picked));
    for (const SchedEntity* entity : on_queue) {
      if (&picked == queue.curr() || !eligible(*entity)) continue;
      EXPECT_LE(deadline(picked), deadline(*entity));
    }
  }

  // The one picked is the leftmost, or no further from it than a woken one may be: a granularity by the leftmost's
  // weight.
  static void check_leftmost(const std::vector<const SchedEntity*>& on_queue, const SchedEntity& picked) {
    std::int64_t least = INT64_MAX;
    for (const SchedEntity* entity : on_queue) least = std::min(least, vruntime(*entity));
    std::int64_t granularity = 0;
    for (const SchedEntity* entity : on_queue) {
      if (vruntime(*entity) != least) continue;
      granularity = std::max(granularity, virtual_ns(kCfs.wakeup_granularity, entity->weight));
    }
    EXPECT_LE(vruntime(picked) - least, granularity);
  }

  std::array<Cpu, 2> cpus_;
  std::deque<SchedEntity> entities_;
  std::vector<std::size_t> home_;
};

class HistoryTest : public testing::TestWithParam<FairRules> {};
INSTANTIATE_TEST_SUITE_P(, HistoryTest, testing::Values(kCfs, kEevdf, kDelayed), [](const auto& rules) {
  if (rules.param.flavour == FairFlavour::cfs) return std::string("Cfs");
  return std::string(rules.param.delayed_dequeue ? "EevdfDelayed" : "Eevdf");
});

void random_history(const FairRules& rules, std::uint64_t seed) {
  sim::Stream chance(seed, "history", "operations");
  std::vector<std::int64_t> weights;
  const int entities = seed % 4 == 0 ? 60 : 7;
  for (int number = 0; number < entities; ++number)
    weights.push_back(weight_of_nice(static_cast<int>(chance() % 40) - 20));
  History history(rules, weights);
  for (int step = 0; step < 3'000 && !testing::Test::HasFailure(); ++step) {
    const std::uint64_t what = chance() % 8;
    const auto who = static_cast<std::size_t>(chance() % history.size());
    if (what < 4) {
      history.tick(Nanoseconds{static_cast<std::int64_t>(chance() % 5'000'000)});
    } else if (what < 7) {
      history.sleep_or_wake(who);
    } else {
      history.move(who);
    }
    history.check();
  }
}

TEST_P(HistoryTest, RandomHistoriesKeepTheBooksAndAlwaysPickSomebodyWhoMayRun) {
  for (std::uint64_t seed = 1; seed <= 20 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    random_history(GetParam(), seed);
  }
}

// One of: tick, sleep or wake one of three, move one of three.
void take_step(History& history, std::size_t operation) {
  if (operation == 0) return history.tick();
  if (operation <= 3) return history.sleep_or_wake(operation - 1);
  history.move(operation - 4);
}

// Each history of each length is begun anew and checked at its end, so all of its beginnings have been.
TEST_P(HistoryTest, AllHistoriesOfThreeEntitiesWithUpToSevenStepsKeepTheBooks) {
  constexpr std::size_t kOperations = 7;
  std::size_t histories = 1;
  for (int length = 1; length <= 7; ++length) {
    histories *= kOperations;
    for (std::size_t code = 0; code < histories && !HasFailure(); ++code) {
      History history(GetParam(), {kOne, 3 * kOne, weight_of_nice(10)});
      std::size_t rest = code;
      for (int step = 0; step < length; ++step, rest /= kOperations) take_step(history, rest % kOperations);
      history.check();
      if (HasFailure()) ADD_FAILURE() << "history " << code << " of length " << length;
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Histories: waits

// While one waits, nobody runs who is not as far behind as it (or within the granularity, if woken), and sleep takes
// nobody back in virtual time. It stood at most latency + tick ahead of the leftmost, in its virtual time, and nobody
// wakes more than half a latency before that. So each of the others has had less than all of that, and a last turn.
Nanoseconds cfs_wait_bound(const FairRules& rules, const std::deque<SchedEntity>& entities, const SchedEntity& waits) {
  std::int64_t lightest = waits.weight;
  for (const SchedEntity& entity : entities) lightest = std::min(lightest, entity.weight);
  const std::int64_t distance = virtual_ns(rules.latency + rules.tick, waits.weight) + rules.latency.count() / 2 +
                                virtual_ns(rules.wakeup_granularity, lightest);
  Nanoseconds bound{};
  for (const SchedEntity& entity : entities) {
    if (&entity == &waits) continue;
    bound += Nanoseconds{distance * entity.weight / kNice0Load} + rules.latency + rules.tick;
  }
  return bound;
}

TEST(CfsTest, NobodyStarvesHoweverTheOthersSleepAndWake) {
  sim::Stream chance(1, "sleepers", "operations");
  World world(kCfs, {weight_of_nice(5), kOne, 2 * kOne, kOne, weight_of_nice(3)});
  const Nanoseconds bound = cfs_wait_bound(kCfs, world.entities, world[0]);
  world.cpu.reschedule();
  Time last_ran = world.cpu.now + cfs_bound(kCfs, world.entities.size());  // it starts behind
  for (int step = 0; step < 100'000; ++step) {
    SchedEntity& other = world[1 + chance() % 4];
    if (chance() % 2 == 0) {
      world.cpu.tick_and_reschedule();
    } else if (other.on_rq) {
      world.cpu.dequeue(other, true);
      if (world.cpu.queue.curr() == nullptr) world.cpu.reschedule();
    } else {
      world.cpu.wake(other);
      if (world.cpu.queue.wakeup_preempts(other)) world.cpu.reschedule();
    }
    if (world.cpu.queue.curr() == &world[0]) last_ran = world.cpu.now;
    ASSERT_LE((world.cpu.now - last_ran).count(), bound.count()) << step;
  }
}

}  // namespace
}  // namespace models::sched_fair_test
