#include "experiments/host/trace/thread_classes.h"

#include <gtest/gtest.h>

#include <string>

namespace experiments::thread_classes_test {
namespace {

TEST(ThreadClasses, ThreadsWhoseNamesDifferInNumbersAreOneClass) {
  ThreadClasses classes;
  const models::ClassId first = classes.of("worker-1");
  EXPECT_EQ(classes.of("worker-64"), first);
  EXPECT_EQ(classes.of("worker-1"), first);
  EXPECT_NE(classes.of("worker"), first);
  EXPECT_EQ(classes.names()[static_cast<std::size_t>(first)], "worker-N");
}

TEST(ThreadClasses, AClassOfOneNameKeepsIt) {
  ThreadClasses classes;
  (void)classes.of("cc1plus");
  (void)classes.of("cc1plus");
  EXPECT_EQ(classes.names().front(), "cc1plus");
}

TEST(ThreadClasses, ThereAreNotMoreThanCanBeTold) {
  ThreadClasses classes;
  std::string name;
  for (std::size_t number = 0; number < 2 * ThreadClasses::kMost; ++number) {
    name.clear();
    for (std::size_t rest = number + 1; rest > 0; rest /= 26) name += static_cast<char>('a' + rest % 26);
    (void)classes.of(name);
  }
  EXPECT_LE(classes.names().size(), ThreadClasses::kMost + 1);
  EXPECT_EQ(classes.names().back(), "others");
}

}  // namespace
}  // namespace experiments::thread_classes_test
