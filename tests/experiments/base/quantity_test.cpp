#include "experiments/base/quantity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>

namespace experiments::quantity_test {
namespace {

using models::Bytes;
using sim::Nanoseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

Nanoseconds duration(std::string_view text) {
  const auto parsed = parse_duration(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *parsed : Nanoseconds{-1};
}

std::int64_t size(std::string_view text) {
  const auto parsed = parse_size(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? parsed->count() : -1;
}

std::string duration_refusal(std::string_view text) {
  const auto parsed = parse_duration(text);
  return parsed ? "accepted" : parsed.message();
}

std::string size_refusal(std::string_view text) {
  const auto parsed = parse_size(text);
  return parsed ? "accepted" : parsed.message();
}

std::string rate_refusal(std::string_view text) {
  const auto parsed = parse_byte_rate(text);
  return parsed ? "accepted" : parsed.message();
}

sim::Distribution distribution(std::string_view text) {
  const auto parsed = parse_distribution(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *parsed : sim::Distribution{};
}

std::string distribution_refusal(std::string_view text) {
  const auto parsed = parse_distribution(text, testing::TempDir());
  return parsed ? "accepted" : parsed.message();
}

void write_samples(const std::string& name, const std::string& content) {
  std::ofstream(testing::TempDir() + name) << content;
}

TEST(Quantity, ReadsDurationsInEveryUnit) {
  EXPECT_EQ(duration("250ns"), 250ns);
  EXPECT_EQ(duration("12us"), 12us);
  EXPECT_EQ(duration("10ms"), 10ms);
  EXPECT_EQ(duration("3s"), 3s);
  EXPECT_EQ(duration("0ns"), 0ns);
}

TEST(Quantity, ReadsBothMicroSigns) {
  EXPECT_EQ(duration("12\u00b5s"), 12us);
  EXPECT_EQ(duration("12\u03bcs"), 12us);
}

TEST(Quantity, ReadsDecimalsExactly) {
  EXPECT_EQ(duration("1.5us"), 1500ns);
  EXPECT_EQ(duration("0.1s"), 100ms);
  EXPECT_EQ(duration("1.000000001s"), 1000000001ns);
  EXPECT_EQ(duration("2.50000000000000000000000ms"), 2500us);
}

TEST(Quantity, RefusesAFractionOfANanosecondAndNamesAWholeOne) {
  EXPECT_EQ(duration_refusal("1.6ns"),
            "expected a duration such as 250ns, 1.5us, 10ms or 3s, found '1.6ns' "
            "(not whole nanoseconds; did you mean 2ns?)");
}

TEST(Quantity, RefusesADurationWithoutAUnit) {
  EXPECT_THAT(duration_refusal("250"), HasSubstr("found '250' (the unit is missing: ns, us, ms, s)"));
}

TEST(Quantity, NamesTheUnitThatASpellingStandsFor) {
  EXPECT_THAT(duration_refusal("10msec"), HasSubstr("(did you mean 10ms?)"));
  EXPECT_THAT(duration_refusal("10 ms"), HasSubstr("(did you mean 10ms?)"));
  EXPECT_THAT(duration_refusal("1.5US"), HasSubstr("(did you mean 1.5us?)"));
  EXPECT_THAT(duration_refusal("3sec"), HasSubstr("(did you mean 3s?)"));
  EXPECT_THAT(duration_refusal("3seconds"), HasSubstr("(did you mean 3s?)"));
  EXPECT_THAT(duration_refusal("3milliseconds"), HasSubstr("(did you mean 3ms?)"));
  EXPECT_THAT(duration_refusal("3parsec"), AllOf(HasSubstr("found '3parsec'"), Not(HasSubstr("did you mean"))));
}

TEST(Quantity, RefusesWhatIsBelowZero) {
  EXPECT_THAT(duration_refusal("-5ms"), HasSubstr("found '-5ms' (it must not be below zero)"));
  EXPECT_THAT(size_refusal("-4KiB"), HasSubstr("found '-4KiB' (it must not be below zero)"));
}

TEST(Quantity, RefusesWhatIsNoNumber) {
  for (const char* text : {"", "ms", ".5ms", "1.ms", "1e3ns", "1,5ms", "+1ms", "nan", "0x10ns", "1.5.5ms"}) {
    EXPECT_THAT(duration_refusal(text), HasSubstr("expected a duration")) << text;
  }
}

TEST(Quantity, ReadsAtMostThirtyDays) {
  EXPECT_EQ(duration("2592000s"), kLongestDuration);
  EXPECT_THAT(duration_refusal("2592000.000000001s"), HasSubstr("(at most 2592000s)"));
  EXPECT_THAT(duration_refusal("18446744073709551615s"), HasSubstr("(at most 2592000s)"));
  EXPECT_THAT(duration_refusal("99999999999999999999999s"), HasSubstr("expected a duration"));
}

TEST(Quantity, ReadsSizesInEveryUnit) {
  EXPECT_EQ(size("4096B"), 4096);
  EXPECT_EQ(size("4KiB"), 4096);
  EXPECT_EQ(size("512MiB"), std::int64_t{512} << 20);
  EXPECT_EQ(size("1.5GiB"), std::int64_t{1536} << 20);
  EXPECT_EQ(size("1TiB"), std::int64_t{1} << 40);
}

TEST(Quantity, RefusesDecimalUnitsAndNamesTheBinaryOne) {
  EXPECT_EQ(size_refusal("4GB"), "expected a size such as 4GiB or 512MiB, found '4GB' (did you mean 4GiB?)");
  EXPECT_THAT(size_refusal("4G"), HasSubstr("(did you mean 4GiB?)"));
  EXPECT_THAT(size_refusal("4gib"), HasSubstr("(did you mean 4GiB?)"));
  EXPECT_THAT(size_refusal("1.5kB"), HasSubstr("(did you mean 1.5KiB?)"));
  EXPECT_THAT(size_refusal("2 TB"), HasSubstr("(did you mean 2TiB?)"));
  EXPECT_THAT(size_refusal("100b"), HasSubstr("(did you mean 100B?)"));
}

TEST(Quantity, RefusesASizeWithoutAUnit) {
  EXPECT_THAT(size_refusal("4096"), HasSubstr("(the unit is missing: B, KiB, MiB, GiB, TiB)"));
}

TEST(Quantity, RefusesAFractionOfAByte) {
  EXPECT_THAT(size_refusal("0.3KiB"), HasSubstr("(not whole bytes; did you mean 307B?)"));
}

TEST(Quantity, ReadsAtMostAPebibyte) {
  EXPECT_EQ(size("1024TiB"), kLargestSize.count());
  EXPECT_THAT(size_refusal("1025TiB"), HasSubstr("(at most 1024TiB)"));
  EXPECT_THAT(size_refusal("18446744073709551615TiB"), HasSubstr("(at most 1024TiB)"));
}

TEST(Quantity, ReadsRatesOfBytes) {
  EXPECT_EQ(parse_byte_rate("400MiB/s")->count(), std::int64_t{400} << 20);
  EXPECT_EQ(parse_byte_rate("0B/s")->count(), 0);
}

TEST(Quantity, RefusesARateThatIsNotOneOfBytesInASecond) {
  EXPECT_EQ(rate_refusal("400MB/s"), "expected a rate such as 400MiB/s, found '400MB/s' (did you mean 400MiB/s?)");
  EXPECT_THAT(rate_refusal("400MiB"), HasSubstr("(did you mean 400MiB/s?)"));
  EXPECT_THAT(rate_refusal("400MBps"), HasSubstr("(did you mean 400MiB/s?)"));
  EXPECT_THAT(rate_refusal("0"), HasSubstr("(the unit is missing: B/s, KiB/s"));
  EXPECT_THAT(rate_refusal("400/s"), HasSubstr("expected a rate"));
  EXPECT_THAT(rate_refusal("fast"), HasSubstr("found 'fast'"));
}

TEST(Quantity, ReadsEveryKindOfDistribution) {
  EXPECT_EQ(distribution("1ms"), sim::Distribution(sim::Constant{1ms}));
  EXPECT_EQ(distribution("constant 1ms"), sim::Distribution(sim::Constant{1ms}));
  EXPECT_EQ(distribution("uniform 10us 20us"), sim::Distribution(sim::Uniform{10us, 20us}));
  EXPECT_EQ(distribution("exponential 50us"), sim::Distribution(sim::Exponential{50us}));
  EXPECT_EQ(distribution("lognormal median 1370ns p99 5600ns"), sim::Distribution(sim::Lognormal{1370ns, 5600ns}));
  EXPECT_EQ(distribution("  exponential   50us "), sim::Distribution(sim::Exponential{50us}));
}

TEST(Quantity, ReadsSamplesFromAFileBesideTheOneThatNamesIt) {
  write_samples("think times.txt", "# measured\n10us\n\n  20us  # twice\n20us\n");
  const auto parsed = parse_distribution("empirical think times.txt", testing::TempDir());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, sim::Distribution(sim::Empirical{{10us, 20us, 20us}}));
}

TEST(Quantity, NamesTheLineOfABadSample) {
  write_samples("bad.txt", "10us\nsoon\n");
  EXPECT_THAT(distribution_refusal("empirical bad.txt"), AllOf(HasSubstr("in line 2 of '"), HasSubstr("found 'soon'")));
}

TEST(Quantity, RefusesAFileOfSamplesThatIsMissingOrEmptyOrAFolder) {
  write_samples("empty.txt", "# nothing\n");
  EXPECT_THAT(distribution_refusal("empirical empty.txt"), HasSubstr("expected at least one duration"));
  EXPECT_THAT(distribution_refusal("empirical nowhere.txt"), HasSubstr("cannot be read"));
  EXPECT_THAT(distribution_refusal("empirical ."), HasSubstr("cannot be read"));
  EXPECT_THAT(distribution_refusal("empirical"), HasSubstr("expected `empirical FILE`"));
}

TEST(Quantity, RefusesDistributionsThatCannotBe) {
  EXPECT_EQ(distribution_refusal("uniform 20us 10us"),
            "expected the lower end first, found 'uniform 20us 10us' (did you mean uniform 10us 20us?)");
  EXPECT_THAT(distribution_refusal("exponential 0ns"), HasSubstr("expected a mean above zero"));
  EXPECT_THAT(distribution_refusal("lognormal median 0ns p99 1us"), HasSubstr("expected a median above zero"));
  EXPECT_THAT(distribution_refusal("lognormal median 2us p99 1us"), HasSubstr("not below the median"));
  EXPECT_THAT(distribution_refusal("lognormal median 1ns p99 2592000s"), HasSubstr("nearer to the median"));
}

TEST(Quantity, RefusesDistributionsThatAreNotComplete) {
  EXPECT_THAT(distribution_refusal("constant"), HasSubstr("expected `constant DURATION`"));
  EXPECT_THAT(distribution_refusal("uniform 10us"), HasSubstr("expected `uniform LOW HIGH`"));
  EXPECT_THAT(distribution_refusal("exponential 5us 6us"), HasSubstr("expected `exponential MEAN`"));
  EXPECT_THAT(distribution_refusal("lognormal 1us 2us"),
              HasSubstr("expected `lognormal median DURATION p99 DURATION`"));
}

TEST(Quantity, NamesTheNearestDistribution) {
  EXPECT_THAT(distribution_refusal("exponental 50us"), HasSubstr("(did you mean exponential?)"));
  EXPECT_THAT(distribution_refusal("pareto 50us"), AllOf(HasSubstr("found 'pareto 50us'"), Not(HasSubstr("mean p"))));
  EXPECT_THAT(distribution_refusal(""), HasSubstr("expected a distribution"));
  EXPECT_THAT(distribution_refusal("50"), HasSubstr("the unit is missing"));
}

TEST(Quantity, SpellsWhatItReads) {
  for (const char* text : {"0ns", "250ns", "1500ns", "2ms", "3s", "61s"}) EXPECT_EQ(spell(duration(text)), text);
  for (const char* text : {"0B", "100B", "4KiB", "1536MiB", "1024TiB"}) EXPECT_EQ(spell(Bytes{size(text)}), text);
}

TEST(Human, ShowsThreeDigitsOfADuration) {
  EXPECT_EQ(human(640ns), "640 ns");
  EXPECT_EQ(human(5ns), "5 ns");
  EXPECT_EQ(human(1370ns), "1.37 us");
  EXPECT_EQ(human(13'700ns), "13.7 us");
  EXPECT_EQ(human(137'000ns), "137 us");
  EXPECT_EQ(human(2ms), "2.00 ms");
  EXPECT_EQ(human(3210ms), "3.21 s");
  EXPECT_EQ(human(0ns), "0 ns");
}

TEST(Human, ChoosesTheUnitAfterRounding) {
  using Fraction = std::chrono::duration<double, std::nano>;
  EXPECT_EQ(human(Fraction{999.4}), "999 ns");
  EXPECT_EQ(human(Fraction{999.6}), "1.00 us");
  EXPECT_EQ(human(999'499ns), "999 us");
  EXPECT_EQ(human(999'600ns), "1.00 ms");
  EXPECT_EQ(human(9'996ns), "10.0 us");
  EXPECT_EQ(human(99'960ns), "100 us");
}

TEST(Human, ShowsLongTimesInWholeSeconds) { EXPECT_EQ(human(kLongestDuration), "2592000 s"); }

TEST(TimeUnits, TheLongestIsTakenOfWhichThereIsEnough) {
  EXPECT_EQ(time_unit_of(0).name, "ns");
  EXPECT_EQ(time_unit_of(999).name, "ns");
  EXPECT_EQ(time_unit_of(1000).name, "us");
  EXPECT_EQ(time_unit_of(1000).printed, "\u00b5s");
  EXPECT_EQ(time_unit_of(1999, 2).name, "ns");
  EXPECT_EQ(time_unit_of(2e6, 2).name, "ms");
  EXPECT_EQ(time_unit_of(1e15).name, "s");
}

TEST(Human, ShowsTheSignOfADifference) { EXPECT_EQ(human(-1370ns), "-1.37 us"); }

TEST(Human, ShowsThreeDigitsOfASizeWithoutZeros) {
  EXPECT_EQ(human(Bytes{512}), "512 B");
  EXPECT_EQ(human(Bytes{4096}), "4 KiB");
  EXPECT_EQ(human(Bytes{1536 << 10}), "1.5 MiB");
  EXPECT_EQ(human(Bytes{std::int64_t{16} << 30}), "16 GiB");
  EXPECT_EQ(human(Bytes{1023 << 10}), "1023 KiB");
  EXPECT_EQ(human(Bytes{(1 << 20) - 1}), "1 MiB");
  EXPECT_EQ(human(Bytes{std::int64_t{1} << 50}), "1024 TiB");
}

}  // namespace
}  // namespace experiments::quantity_test
