// The semaphore's rules, one by one and then in all their histories.
//
// The exploration visits every history of up to four tasks with up to three sections each, where a section is a read,
// a write, or a write that is downgraded to a read. Nothing is sampled: at each step every task may take its next
// step, and every kind of section is tried. Histories that lead to the same situation are followed once from there,
// and all of them are counted.
#include "models/locking/rwsem_fifo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace models::rwsem_fifo_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Granted = std::vector<int>;

// ---------------------------------------------------------------------------------------------------------------
// The rules by name. Tasks are numbered in the order in which they come.

class FifoRwsemTest : public testing::Test {
 protected:
  Granted up_read() {
    Granted granted;
    semaphore_.up_read(granted);
    return granted;
  }
  Granted up_write() {
    Granted granted;
    semaphore_.up_write(granted);
    return granted;
  }
  Granted downgrade_write() {
    Granted granted;
    semaphore_.downgrade_write(granted);
    return granted;
  }

  FifoRwsem<int> semaphore_;
};

TEST_F(FifoRwsemTest, AFreeSemaphoreIsTakenAtOnce) {
  EXPECT_TRUE(semaphore_.down_write(1));
  EXPECT_TRUE(semaphore_.write_held());
  EXPECT_THAT(up_write(), IsEmpty());
  EXPECT_FALSE(semaphore_.write_held());
  EXPECT_TRUE(semaphore_.down_read(2));
  EXPECT_EQ(semaphore_.readers(), 1U);
}

TEST_F(FifoRwsemTest, DownTakesTheModeItIsAskedFor) {
  EXPECT_TRUE(semaphore_.down(LockMode::read, 1));
  EXPECT_EQ(semaphore_.readers(), 1U);
  EXPECT_THAT(up_read(), IsEmpty());
  EXPECT_TRUE(semaphore_.down(LockMode::write, 2));
  EXPECT_TRUE(semaphore_.write_held());
}

TEST_F(FifoRwsemTest, ReadersShare) {
  EXPECT_TRUE(semaphore_.down_read(1));
  EXPECT_TRUE(semaphore_.down_read(2));
  EXPECT_TRUE(semaphore_.down_read(3));
  EXPECT_EQ(semaphore_.readers(), 3U);
}

TEST_F(FifoRwsemTest, AWriterKeepsEverybodyOut) {
  ASSERT_TRUE(semaphore_.down_write(1));
  EXPECT_FALSE(semaphore_.down_read(2));
  EXPECT_FALSE(semaphore_.down_write(3));
  EXPECT_EQ(semaphore_.queue_length(), 2U);
  EXPECT_EQ(semaphore_.readers(), 0U);
}

TEST_F(FifoRwsemTest, AWriterWaitsForTheLastReader) {
  ASSERT_TRUE(semaphore_.down_read(1));
  ASSERT_TRUE(semaphore_.down_read(2));
  EXPECT_FALSE(semaphore_.down_write(3));
  EXPECT_THAT(up_read(), IsEmpty());
  EXPECT_FALSE(semaphore_.write_held());
  EXPECT_THAT(up_read(), ElementsAre(3));
  EXPECT_TRUE(semaphore_.write_held());
}

TEST_F(FifoRwsemTest, AnArrivingReaderQueuesBehindAWaitingWriterAlthoughReadersHold) {
  ASSERT_TRUE(semaphore_.down_read(1));
  ASSERT_FALSE(semaphore_.down_write(2));
  EXPECT_FALSE(semaphore_.down_read(3));
  EXPECT_EQ(semaphore_.readers(), 1U);
}

TEST_F(FifoRwsemTest, UpWriteHandsOverToOneWriter) {
  ASSERT_TRUE(semaphore_.down_write(1));
  ASSERT_FALSE(semaphore_.down_write(2));
  ASSERT_FALSE(semaphore_.down_write(3));
  EXPECT_THAT(up_write(), ElementsAre(2));
  EXPECT_TRUE(semaphore_.write_held());
  EXPECT_EQ(semaphore_.queue_length(), 1U);
}

TEST_F(FifoRwsemTest, UpWriteLetsInAllReadersAtTheHeadAndNoneBehindAWriter) {
  ASSERT_TRUE(semaphore_.down_write(1));
  for (const int reader : {2, 3, 4}) ASSERT_FALSE(semaphore_.down_read(reader));
  ASSERT_FALSE(semaphore_.down_write(5));
  ASSERT_FALSE(semaphore_.down_read(6));
  EXPECT_THAT(up_write(), ElementsAre(2, 3, 4));
  EXPECT_EQ(semaphore_.readers(), 3U);
  EXPECT_EQ(semaphore_.queue_length(), 2U);
}

TEST_F(FifoRwsemTest, TheLastReaderHandsOverToTheWriterAtTheHeadAndToNobodyElse) {
  ASSERT_TRUE(semaphore_.down_read(1));
  ASSERT_FALSE(semaphore_.down_write(2));
  ASSERT_FALSE(semaphore_.down_read(3));
  EXPECT_THAT(up_read(), ElementsAre(2));
  EXPECT_THAT(up_write(), ElementsAre(3));
}

TEST_F(FifoRwsemTest, DowngradeLetsReadersInUpToTheFirstWaitingWriter) {
  ASSERT_TRUE(semaphore_.down_write(1));
  ASSERT_FALSE(semaphore_.down_read(2));
  ASSERT_FALSE(semaphore_.down_read(3));
  ASSERT_FALSE(semaphore_.down_write(4));
  ASSERT_FALSE(semaphore_.down_read(5));
  EXPECT_THAT(downgrade_write(), ElementsAre(2, 3));
  EXPECT_EQ(semaphore_.readers(), 3U);
  EXPECT_FALSE(semaphore_.write_held());
  EXPECT_EQ(semaphore_.queue_length(), 2U);
}

TEST_F(FifoRwsemTest, DowngradeLetsNobodyInPastAWriterAtTheHead) {
  ASSERT_TRUE(semaphore_.down_write(1));
  ASSERT_FALSE(semaphore_.down_write(2));
  ASSERT_FALSE(semaphore_.down_read(3));
  EXPECT_THAT(downgrade_write(), IsEmpty());
  EXPECT_EQ(semaphore_.readers(), 1U);
}

TEST_F(FifoRwsemTest, AfterADowngradeNewReadersEnterUntilAWriterQueues) {
  ASSERT_TRUE(semaphore_.down_write(1));
  EXPECT_THAT(downgrade_write(), IsEmpty());
  EXPECT_TRUE(semaphore_.down_read(2));
  EXPECT_FALSE(semaphore_.down_write(3));
  EXPECT_FALSE(semaphore_.down_read(4));
}

TEST_F(FifoRwsemTest, HeadIsTheLongestWaitingAndFirstWriterTheLongestWaitingWriter) {
  ASSERT_TRUE(semaphore_.down_write(1));
  EXPECT_EQ(semaphore_.head(), std::nullopt);
  EXPECT_EQ(semaphore_.first_writer(), std::nullopt);
  ASSERT_FALSE(semaphore_.down_read(2));
  EXPECT_EQ(semaphore_.head(), 2);
  EXPECT_EQ(semaphore_.first_writer(), std::nullopt);
  ASSERT_FALSE(semaphore_.down_write(3));
  ASSERT_FALSE(semaphore_.down_write(4));
  EXPECT_EQ(semaphore_.head(), 2);
  EXPECT_EQ(semaphore_.first_writer(), 3);
}

// ---------------------------------------------------------------------------------------------------------------
// The specification. Requests stand in the order of their arrival until they are finished. A request is in exactly
// if it is the first, or if it and everything before it reads. All four rules of the kernel follow from that.

class Specification {
 public:
  void arrive(int task, LockMode mode) { unfinished_.push_back({task, mode}); }
  void downgrade(int task) { find(task)->mode = LockMode::read; }
  void finish(int task) { unfinished_.erase(find(task)); }

  [[nodiscard]] std::vector<int> inside() const {
    std::vector<int> tasks;
    for (const Request& request : unfinished_) {
      if (&request != &unfinished_.front() && (request.mode == LockMode::write || !tasks_read_before(request))) break;
      tasks.push_back(request.task);
    }
    return tasks;
  }
  [[nodiscard]] std::vector<int> queued() const {
    std::vector<int> tasks;
    for (std::size_t index = inside().size(); index < unfinished_.size(); ++index) {
      tasks.push_back(unfinished_[index].task);
    }
    return tasks;
  }
  [[nodiscard]] std::vector<int> queued_writers() const {
    std::vector<int> tasks;
    for (std::size_t index = inside().size(); index < unfinished_.size(); ++index) {
      if (unfinished_[index].mode == LockMode::write) tasks.push_back(unfinished_[index].task);
    }
    return tasks;
  }
  [[nodiscard]] LockMode mode_of(int task) const {
    return std::find_if(unfinished_.begin(), unfinished_.end(), [&](const Request& each) { return each.task == task; })
        ->mode;
  }

 private:
  struct Request {
    int task;
    LockMode mode;
  };

  [[nodiscard]] bool tasks_read_before(const Request& request) const {
    return std::all_of(&unfinished_.front(), &request, [](const Request& each) { return each.mode == LockMode::read; });
  }
  std::vector<Request>::iterator find(int task) {
    return std::find_if(unfinished_.begin(), unfinished_.end(), [&](const Request& each) { return each.task == task; });
  }

  std::vector<Request> unfinished_;
};

// What has entered between two readings, in the order of arrival.
std::vector<int> newcomers(const std::vector<int>& before, const std::vector<int>& after) {
  std::vector<int> entered;
  for (const int task : after) {
    if (std::find(before.begin(), before.end(), task) == before.end()) entered.push_back(task);
  }
  return entered;
}

enum class Section { read, write, downgrade };
constexpr std::array kSections{Section::read, Section::write, Section::downgrade};

enum class Stage { outside, queued, inside, downgraded };

constexpr int kMostTasks = 4;

// The semaphore under test, its specification, and where each task is.
struct Situation {
  struct Task {
    int sections_left = 0;
    Section section = Section::read;
    Stage stage = Stage::outside;
  };

  FifoRwsem<int> semaphore;
  Specification specification;
  std::array<Task, kMostTasks> tasks;

  Task& task(int number) { return tasks[static_cast<std::size_t>(number)]; }
};

class Exploration {
 public:
  // All histories of `tasks` tasks with `sections` sections each; returns how many there are.
  double run(int tasks, int sections) {
    Situation start;
    for (int number = 0; number < tasks; ++number) start.task(number).sections_left = sections;
    tasks_ = tasks;
    histories_from_.clear();
    return histories_from(start);
  }

  [[nodiscard]] std::size_t situations() const { return histories_from_.size(); }

 private:
  double histories_from(const Situation& situation) {
    const std::uint64_t key = key_of(situation);
    if (const auto known = histories_from_.find(key); known != histories_from_.end()) return known->second;
    check(situation);
    if (testing::Test::HasFailure()) return 0;
    double histories = 0;
    bool ended = true;
    for (int number = 0; number < tasks_; ++number) {
      const Situation::Task& task = situation.tasks[static_cast<std::size_t>(number)];
      if (task.stage != Stage::outside || task.sections_left > 0) ended = false;
      if (task.stage == Stage::outside && task.sections_left > 0) {
        for (const Section section : kSections) histories += histories_from(begin(situation, number, section));
      } else if (task.stage == Stage::inside && task.section == Section::downgrade) {
        histories += histories_from(downgrade(situation, number));
      } else if (task.stage == Stage::inside || task.stage == Stage::downgraded) {
        histories += histories_from(end(situation, number));
      }
    }
    if (ended) histories = 1;
    // Not ended, and nobody can take a step: a wake-up was lost.
    EXPECT_GT(histories, 0);
    histories_from_.emplace(key, histories);
    return histories;
  }

  Situation begin(Situation next, int number, Section section) {
    const LockMode mode = section == Section::read ? LockMode::read : LockMode::write;
    const std::vector<int> before = next.specification.inside();
    next.specification.arrive(number, mode);
    const std::vector<int> entered = newcomers(before, next.specification.inside());
    const bool enters = next.semaphore.down(mode, number);
    EXPECT_EQ(enters, entered == std::vector<int>{number});
    Situation::Task& task = next.task(number);
    task = {task.sections_left - 1, section, enters ? Stage::inside : Stage::queued};
    return next;
  }

  Situation downgrade(Situation next, int number) {
    const std::vector<int> before = next.specification.inside();
    next.specification.downgrade(number);
    Granted granted;
    next.semaphore.downgrade_write(granted);
    next.task(number).stage = Stage::downgraded;
    admit(next, before, granted);
    return next;
  }

  Situation end(Situation next, int number) {
    const std::vector<int> before = next.specification.inside();
    Situation::Task& task = next.task(number);
    next.specification.finish(number);
    Granted granted;
    if (task.section == Section::write) {
      next.semaphore.up_write(granted);
    } else {
      next.semaphore.up_read(granted);
    }
    task.stage = Stage::outside;
    task.section = Section::read;
    admit(next, before, granted);
    return next;
  }

  // The order of the grants is the order of arrival.
  void admit(Situation& next, const std::vector<int>& before, const Granted& granted) {
    EXPECT_EQ(granted, newcomers(before, next.specification.inside()));
    for (const int number : granted) {
      EXPECT_EQ(next.task(number).stage, Stage::queued);
      next.task(number).stage = Stage::inside;
    }
  }

  void check(const Situation& situation) {
    const auto& [semaphore, specification, tasks] = situation;
    std::size_t readers = 0;
    std::size_t writers = 0;
    std::size_t queued = 0;
    for (const Situation::Task& task : tasks) {
      const bool reads = task.section == Section::read || task.stage == Stage::downgraded;
      if (task.stage == Stage::queued) ++queued;
      if (task.stage == Stage::inside || task.stage == Stage::downgraded) ++(reads ? readers : writers);
    }
    // Mutual exclusion.
    EXPECT_TRUE(writers == 0 || (writers == 1 && readers == 0));
    // No lost wake-up.
    EXPECT_TRUE(queued == 0 || readers + writers > 0);
    // The semaphore says what is the case.
    EXPECT_EQ(semaphore.readers(), readers);
    EXPECT_EQ(semaphore.write_held(), writers == 1);
    EXPECT_EQ(semaphore.queue_length(), queued);
    // And it is what the specification says.
    const std::vector<int> waiting = specification.queued();
    const std::vector<int> waiting_writers = specification.queued_writers();
    EXPECT_EQ(specification.inside().size(), readers + writers);
    EXPECT_EQ(semaphore.head(), waiting.empty() ? std::nullopt : std::optional(waiting.front()));
    EXPECT_EQ(semaphore.first_writer(),
              waiting_writers.empty() ? std::nullopt : std::optional(waiting_writers.front()));
    for (int number = 0; number < tasks_; ++number) {
      const Stage stage = tasks[static_cast<std::size_t>(number)].stage;
      const bool waits = std::find(waiting.begin(), waiting.end(), number) != waiting.end();
      EXPECT_EQ(stage == Stage::queued, waits);
    }
    check_by_draining(semaphore, specification);
  }

  // The queue cannot be seen, but when everybody leaves and nobody comes its whole order shows. So two situations with
  // one key behave alike ever after, and it is enough to follow one of them.
  static void check_by_draining(FifoRwsem<int> semaphore, Specification specification) {
    for (std::vector<int> inside = specification.inside(); !inside.empty(); inside = specification.inside()) {
      const int leaving = inside.front();
      Granted granted;
      if (specification.mode_of(leaving) == LockMode::write) {
        semaphore.up_write(granted);
      } else {
        semaphore.up_read(granted);
      }
      specification.finish(leaving);
      EXPECT_EQ(granted, newcomers(inside, specification.inside()));
    }
    EXPECT_EQ(semaphore.readers(), 0U);
    EXPECT_FALSE(semaphore.write_held());
    EXPECT_EQ(semaphore.queue_length(), 0U);
  }

  // 16 bits for each task: its place in the queue, sections left, section, stage.
  std::uint64_t key_of(const Situation& situation) const {
    const std::vector<int> waiting = situation.specification.queued();
    std::array<std::uint64_t, kMostTasks> parts{};
    for (int number = 0; number < tasks_; ++number) {
      const Situation::Task& task = situation.tasks[static_cast<std::size_t>(number)];
      const auto place =
          static_cast<std::uint64_t>(std::find(waiting.begin(), waiting.end(), number) - waiting.begin());
      const std::uint64_t where = task.stage == Stage::queued ? place + 1 : 0;
      parts[static_cast<std::size_t>(number)] = (where << 8U) | (static_cast<std::uint64_t>(task.sections_left) << 4U) |
                                                (static_cast<std::uint64_t>(task.section) << 2U) |
                                                static_cast<std::uint64_t>(task.stage);
    }
    std::uint64_t key = 0;
    for (const std::uint64_t part : parts) key = (key << 16U) | part;
    return key;
  }

  int tasks_ = 0;
  std::unordered_map<std::uint64_t, double> histories_from_;
};

TEST(FifoRwsemExploration, OneTaskHasOneHistoryForEachOfItsPrograms) {
  Exploration exploration;
  EXPECT_EQ(exploration.run(1, 3), 27);  // three kinds of section, three times
}

// By hand, for a task A before a task B and the other way round: read/read 6, write/write 4, downgrade/downgrade 6,
// read/write 4 twice, read/downgrade 7 twice, write/downgrade 5 twice.
TEST(FifoRwsemExploration, TwoTasksWithOneSectionHaveTheHistoriesCountedByHand) {
  Exploration exploration;
  EXPECT_EQ(exploration.run(2, 1), 6 + 4 + 6 + 2 * (4 + 7 + 5));
}

TEST(FifoRwsemExploration, AllHistoriesOfFewerTasksAgreeWithTheSpecification) {
  for (const int tasks : {2, 3}) {
    for (const int sections : {1, 2, 3}) {
      Exploration exploration;
      EXPECT_GT(exploration.run(tasks, sections), 0);
    }
  }
}

TEST(FifoRwsemExploration, AllHistoriesOfFourTasksWithThreeSectionsAgreeWithTheSpecification) {
  Exploration exploration;
  const double histories = exploration.run(4, 3);
  RecordProperty("histories", std::to_string(histories));
  RecordProperty("situations", std::to_string(exploration.situations()));
  // Sections that do not overlap already give 12! / (3!)^4 orders of 3^12 programs, or 1.96e11.
  EXPECT_GT(histories, 369600.0 * 531441.0);
  EXPECT_GT(exploration.situations(), 200'000U);
}

}  // namespace
}  // namespace models::rwsem_fifo_test
