#include "experiments/compare/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "tests/support/synthetic_result.h"

namespace experiments::verdict_test {
namespace {

using models::LockBlame;
using models::LockMode;
using models::Phase;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using tests::both;
using tests::ClassSamples;
using tests::result_of;
using tests::waited;
using tests::worked;
using namespace std::chrono_literals;
using Results = std::vector<std::vector<models::Result>>;

const char* const kMlockQuestion = "Does it help to downgrade mmap_sem while mlock populates?";
const char* const kUnlockQuestion = "Should the unlock path downgrade mmap_sem, too?";

const models::Scenario& patch() {
  static const models::Scenario scenario = tests::scenario_of({tests::write_held(), tests::downgrade()});
  return scenario;
}

// As on a terminal as wide as a page may be.
std::string text_of(const Comparison& comparison) { return verdict(comparison, 160); }

// One replication of write_held and downgrade, in which these classes fell due during mlock.
std::string verdict_on(const tests::Classes& before, const tests::Classes& after) {
  return text_of(Comparison(patch(), {{result_of(before)}, {result_of(after)}}));
}

ClassSamples in_mlock(const models::Samples& samples) { return {{Phase::mlock_populate, samples}}; }

std::size_t times(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

// --- the answer ---------------------------------------------------------------------------------------------

TEST(Verdict, SaysYesWhereItHelpsEverybody) {
  const std::string text = verdict_on({{"faulter", in_mlock(worked(50, 3s))}, {"ps", in_mlock(worked(5, 3s))}},
                                      {{"faulter", in_mlock(worked(50, 2us))}, {"ps", in_mlock(worked(5, 1ms))}});
  EXPECT_THAT(text, HasSubstr(std::string(kMlockQuestion) + " (write_held -> downgrade, requests due during mlock)\n"
                                                            "  Yes, for everybody who competes here.\n"));
  EXPECT_THAT(text, HasSubstr("max      3.00 s ->  1.00 ms  (3,000 times shorter)"));
}

TEST(Verdict, SaysNoWhereItHelpsNobody) {
  const std::string text = verdict_on({{"faulter", in_mlock(worked(50, 3s))}}, {{"faulter", in_mlock(worked(50, 3s))}});
  EXPECT_THAT(text, HasSubstr("  No: next to no difference for anybody who competes here.\n"));
  EXPECT_THAT(text, HasSubstr("(the same)"));
}

TEST(Verdict, NamesWhomItHelpsAndWhomNot) {
  const std::string text = verdict_on({{"faulter", in_mlock(worked(50, 3s))}, {"mapper", in_mlock(worked(5, 3s))}},
                                      {{"faulter", in_mlock(worked(50, 2us))}, {"mapper", in_mlock(worked(5, 3s))}});
  EXPECT_THAT(text, HasSubstr("  Yes for faulter. Next to no difference for mapper.\n"));
}

TEST(Verdict, NamesWhoIsWorseOff) {
  const std::string text = verdict_on(
      {{"faulter", in_mlock(worked(50, 3s))}, {"ps", in_mlock(worked(5, 3s))}, {"mapper", in_mlock(worked(5, 1ms))}},
      {{"faulter", in_mlock(worked(50, 1s))}, {"ps", in_mlock(worked(5, 3s))}, {"mapper", in_mlock(worked(5, 2ms))}});
  EXPECT_THAT(text, HasSubstr("  Yes for faulter. Next to no difference for ps. Worse for mapper.\n"));
  EXPECT_THAT(text, HasSubstr("(2 times longer)"));
}

TEST(Verdict, SaysWorseWhereItHurtsEverybody) {
  const std::string text = verdict_on({{"ps", in_mlock(worked(5, 1ms))}}, {{"ps", in_mlock(worked(5, 4ms))}});
  EXPECT_THAT(text, HasSubstr("  Worse for ps.\n"));
  EXPECT_THAT(text, Not(HasSubstr("Yes")));
}

TEST(Verdict, AdmitsThatRunsWithoutRequestsCannotTell) {
  const std::string text =
      verdict_on({{"ps", {{Phase::idle, worked(5, 1ms)}}}}, {{"ps", {{Phase::idle, worked(5, 1ms)}}}});
  EXPECT_THAT(text, HasSubstr("No request fell due meanwhile: these runs cannot tell."));
}

TEST(Verdict, LeavesOutAClassThatOnlyOnePolicyHasMet) {
  const std::string text = verdict_on({{"faulter", in_mlock(worked(5, 1ms))}, {"ps", {}}},
                                      {{"faulter", in_mlock(worked(5, 1us))}, {"ps", in_mlock(worked(5, 1us))}});
  EXPECT_THAT(text, HasSubstr("  Yes, for everybody who competes here.\n"));
  EXPECT_THAT(text, Not(HasSubstr("    ps ")));
}

TEST(Verdict, DoesNotCallAChangeWithinTheChanceOfOneRunAChange) {
  const std::string text = verdict_on({{"ps", in_mlock(worked(5, 14us))}}, {{"ps", in_mlock(worked(5, 10us))}});
  EXPECT_THAT(text, HasSubstr("  No: next to no difference"));
  EXPECT_THAT(text, HasSubstr("(1.4 times shorter)"));
}

// --- which question -----------------------------------------------------------------------------------------

TEST(Verdict, AsksTheUnlockQuestionOfPoliciesThatDifferInMunlockOnly) {
  const auto scenario = tests::scenario_of({tests::write_held(), tests::downgrade(), tests::unlock_downgrade()});
  const auto stalled = result_of({{"ps", {{Phase::mlock, worked(5, 1ms)}, {Phase::munlock_walk, worked(5, 2s)}}}});
  const auto free = result_of({{"ps", {{Phase::mlock, worked(5, 1ms)}, {Phase::munlock_walk, worked(5, 1ms)}}}});
  const std::string text = text_of(Comparison(scenario, {{stalled}, {stalled}, {free}}));
  EXPECT_THAT(text,
              HasSubstr(std::string(kUnlockQuestion) + " (downgrade -> unlock_downgrade, requests due during munlock)\n"
                                                       "  Yes, for everybody who competes here.\n"));
  EXPECT_THAT(text, HasSubstr(std::string(kMlockQuestion) + " (write_held -> downgrade"));
  EXPECT_EQ(times(text, kMlockQuestion), 1u) << "write_held and unlock_downgrade differ in more than one path";
}

TEST(Verdict, AsksTheMunmapQuestionOfPoliciesThatDifferInMunmapOnly) {
  models::Policy zap = tests::downgrade();
  zap.name = "zap";
  zap.kernel = models::KernelVersion{4, 20};  // is no difference of what it does
  zap.munmap = {models::HoldMode::downgrade};
  const auto result = result_of({{"ps", {{Phase::munmap, worked(5, 1ms)}}}});
  const std::string text = text_of(Comparison(tests::scenario_of({zap, tests::downgrade()}), {{result}, {result}}));
  EXPECT_THAT(text, HasSubstr("while munmap zaps? (downgrade -> zap, requests due during munmap)"))
      << "in whichever order the policies stand";
}

TEST(Verdict, AsksWhetherToGiveTheLockAwayInBetweenOfAPolicyThatDoes) {
  models::Policy chunked = tests::downgrade();
  chunked.name = "chunked";
  chunked.munlock = {models::HoldMode::chunked_write, models::PageCount(512)};
  const auto result = result_of({{"ps", {{Phase::munlock, worked(5, 1ms)}}}});
  EXPECT_THAT(
      text_of(Comparison(tests::scenario_of({tests::downgrade(), chunked}), {{result}, {result}})),
      AllOf(HasSubstr("Should the unlock path hold mmap_sem for write no longer than it must? (downgrade -> chunked"),
            Not(HasSubstr(kUnlockQuestion))));
}

TEST(Verdict, AsksWhichIsBetterOfPoliciesThatDifferInMore) {
  const auto scenario = tests::scenario_of({tests::write_held(), tests::unlock_downgrade()});
  const auto held = result_of({{"ps", {{Phase::mlock, worked(5, 1s)}, {Phase::munmap, worked(5, 1ms)}}}});
  const auto free = result_of({{"ps", {{Phase::mlock, worked(5, 1ms)}, {Phase::munmap, worked(5, 1ms)}}}});
  EXPECT_THAT(text_of(Comparison(scenario, {{held}, {free}})),
              HasSubstr("Is unlock_downgrade better than write_held for those who compete?\n"
                        "  Yes for ps (mlock). Next to no difference for ps (munmap).\n"
                        "  They differ in populate, munlock: these runs cannot tell which of them does it.\n"
                        "    ps, mlock  max      1.00 s ->  1.00 ms  (1,000 times shorter)\n"
                        "    ps, munmap max     1.00 ms ->  1.00 ms  (the same)\n"));
}

TEST(Verdict, SaysThatPoliciesDoNotDifferOrInOneThingOnly) {
  models::Policy spinning = tests::downgrade();
  spinning.name = "spinning";
  const auto result = result_of({{"ps", in_mlock(worked(5, 1ms))}});
  const auto of_both = [&] {
    return text_of(Comparison(tests::scenario_of({tests::downgrade(), spinning}), {{result}, {result}}));
  };
  EXPECT_THAT(of_both(), HasSubstr("  No: next to no difference for anybody who competes here.\n"
                                   "  They differ in nothing but their names.\n"));
  spinning.rwsem = models::RwsemFlavour::writer_spin;
  EXPECT_THAT(of_both(), HasSubstr("  They differ in rwsem only.\n"));
}

TEST(Verdict, TellsWhatTheLockerTakesWherePoliciesDifferInMore) {
  auto before = result_of({{"ps", in_mlock(worked(5, 1s))}});
  auto after = before;
  before.classes.front().calls["mlock"].duration.record(4ms);
  after.classes.front().calls["mlock"].duration.record(5ms);
  before.classes.front().calls["munlock"].duration.record(4ms);
  after.classes.front().calls["munlock"].duration.record(4ms);
  const auto scenario = tests::scenario_of({tests::write_held(), tests::unlock_downgrade()});
  EXPECT_THAT(
      text_of(Comparison(scenario, {{before}, {after}})),
      HasSubstr("    The locker: a mlock takes 5.00 ms instead of 4.00 ms; a munlock takes 4.00 ms as before.\n"));
}

TEST(Verdict, SaysThatASinglePolicyIsHeldAgainstNone) {
  const auto result = result_of({{"ps", in_mlock(worked(5, 1ms))}});
  const std::string text = text_of(Comparison(tests::scenario_of({tests::downgrade()}), {{result}}));
  EXPECT_THAT(text, Not(HasSubstr("?")));
  EXPECT_THAT(text, AllOf(HasSubstr("One policy: there is none"), HasSubstr("What remains"), HasSubstr("To be known"),
                          EndsWith("\n")));
}

// --- lines --------------------------------------------------------------------------------------------------

// The answers; what stands below them has lines of its own.
std::vector<std::string> lines_of_answers(const std::string& text) {
  std::istringstream stream(text.substr(0, text.find("What remains")));
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Verdict, IsNoWiderThanTheTerminal) {
  models::Policy spinning = tests::downgrade();
  spinning.name = "spinning";
  spinning.rwsem = models::RwsemFlavour::writer_spin;
  Results results(3);
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    for (auto& of_policy : results) {
      of_policy.push_back(result_of({{"open_faulter", in_mlock(worked(5, 1s * seed))}, {"locker", {}}}, seed));
      of_policy.back().classes.back().calls["mlock"].duration.record(4ms * seed);
    }
  }
  const Comparison comparison(tests::scenario_of({tests::write_held(), tests::downgrade(), spinning}), results);
  for (const std::size_t width : {60U, 80U, 100U, 160U}) {
    for (const std::string& line : lines_of_answers(verdict(comparison, width))) EXPECT_LE(line.size(), width) << line;
  }
}

// --- figures ------------------------------------------------------------------------------------------------

std::string factor_text(sim::Nanoseconds before, sim::Nanoseconds after) {
  const std::string text = verdict_on({{"ps", in_mlock(worked(1, before))}}, {{"ps", in_mlock(worked(1, after))}});
  const auto from = text.find("  (", text.find(" -> ", text.find("    ps "))) + 3;
  return text.substr(from, text.find(')', from) - from);
}

TEST(Verdict, SpellsFactorsForPeople) {
  EXPECT_EQ(factor_text(1000ns, 1000ns), "the same");
  EXPECT_EQ(factor_text(1500ns, 1000ns), "1.5 times shorter");
  EXPECT_EQ(factor_text(1000ns, 3000ns), "3 times longer");
  EXPECT_EQ(factor_text(123'456ns, 1000ns), "123 times shorter");
  EXPECT_EQ(factor_text(3200us, 1us), "3,000 times shorter");
}

TEST(Verdict, SpellsFactorsJustBelowAThousandWithoutAnExponent) {
  EXPECT_EQ(factor_text(999'700ns, 1000ns), "1,000 times shorter");
}

TEST(Verdict, SpellsFactorsOfMillionsWithTwoCommas) { EXPECT_EQ(factor_text(2s, 1us), "2,000,000 times shorter"); }

TEST(Verdict, SpellsNoFactorWhereThereIsNothingToDivideBy) {
  EXPECT_EQ(factor_text(0ns, 0ns), "the same");
  EXPECT_THAT(factor_text(1us, 0ns), AllOf(Not(HasSubstr("inf")), Not(HasSubstr("nan")), Not(HasSubstr("-"))));
}

TEST(Verdict, SaysWhatItCostsTheLocker) {
  auto before = result_of({{"ps", in_mlock(worked(5, 2ms))}});
  auto after = result_of({{"ps", in_mlock(worked(5, 1us))}});
  before.classes.front().calls["mlock"].duration.record(4ms);
  after.classes.front().calls["mlock"].duration.record(5ms);
  after.locks.resize(1);
  EXPECT_THAT(text_of(Comparison(patch(), {{before}, {after}})),
              HasSubstr("The price: a mlock takes 5.00 ms instead of 4.00 ms; nobody changed the map in the window"));
  after.locks[0].vma_changed = 12;
  after.locks[0].eagain = 3;
  after.locks[0].vma_change_missed = 2;
  EXPECT_THAT(text_of(Comparison(patch(), {{before}, {after}})),
              AllOf(HasSubstr("the map changed 12 times"), HasSubstr("3 reported as -EAGAIN"), HasSubstr("2 that")));
}

TEST(Verdict, GivesThePriceOfMlockallWhereThereIsNoMlock) {
  auto before = result_of({{"ps", in_mlock(worked(5, 3s))}});
  auto after = result_of({{"ps", in_mlock(worked(5, 3us))}});
  before.classes.front().calls["mlockall"].duration.record(4ms);
  after.classes.front().calls["mlockall"].duration.record(5ms);
  EXPECT_THAT(text_of(Comparison(patch(), {{before}, {after}})),
              HasSubstr("The price: a mlockall takes 5.00 ms instead of 4.00 ms; nobody changed"));
  before.classes.front().calls.clear();
  after.classes.front().calls.clear();
  EXPECT_THAT(text_of(Comparison(patch(), {{before}, {after}})), testing::Not(HasSubstr("The price")));
}

TEST(Verdict, NamesTheLongestRequestThatRemainsUnderEachPolicy) {
  const auto before = result_of({{"faulter", in_mlock(worked(5, 3s))}, {"ps", {{Phase::munmap_zap, worked(1, 1s)}}}});
  const auto after = result_of({{"faulter", in_mlock(worked(5, 3us))}, {"ps", {{Phase::munmap_zap, worked(1, 1s)}}}});
  const std::string text = text_of(Comparison(patch(), {{before}, {after}}));
  EXPECT_THAT(text, HasSubstr("    write_held           3.00 s  faulter, due during mlock\n"));
  EXPECT_THAT(text, HasSubstr("    downgrade            1.00 s  ps, due during munmap\n"));
}

// --- the convoy ---------------------------------------------------------------------------------------------

const LockBlame kBehindMapper{1, Phase::mlock_populate, LockMode::read, 2};
const LockBlame kBehindNobody{1, Phase::mlock_populate, LockMode::write, -1};

std::string verdict_with_waits(const models::Samples& under_write_held, const models::Samples& under_downgrade) {
  return verdict_on({{"faulter", in_mlock(under_write_held)}, {"locker", {}}, {"mapper", {}}},
                    {{"faulter", in_mlock(under_downgrade)}, {"locker", {}}, {"mapper", {}}});
}

TEST(Verdict, TellsOfTheConvoyWhereReadersStandBehindAWriter) {
  const std::string text = verdict_with_waits(waited(30, 3s, kBehindNobody),
                                              tests::both(waited(9, 1s, kBehindMapper), waited(1, 1s, kBehindNobody)));
  EXPECT_THAT(text, HasSubstr("The convoy: 90 % of the waiting that is left is that of readers who stand behind"));
  EXPECT_THAT(text, HasSubstr("behind mapper, which waits for the read hold"));
}

TEST(Verdict, TellsOfNoConvoyWhereNobodyStandsBehindAWriter) {
  EXPECT_THAT(verdict_with_waits(waited(30, 3s, kBehindNobody), waited(30, 1s, kBehindNobody)),
              Not(HasSubstr("convoy")));
  EXPECT_THAT(verdict_with_waits(worked(30, 3s), worked(30, 1s)), Not(HasSubstr("convoy")));
}

TEST(Verdict, TellsOfNoConvoyThatIsTheLesserPartOfTheWaiting) {
  EXPECT_THAT(verdict_with_waits(waited(30, 3s, kBehindNobody),
                                 tests::both(waited(4, 1s, kBehindMapper), waited(6, 1s, kBehindNobody))),
              Not(HasSubstr("convoy")));
}

TEST(Verdict, DoesNotBlameTheDowngradeForAConvoyUnderTheWriteHold) {
  EXPECT_THAT(verdict_with_waits(waited(30, 3s, kBehindMapper), worked(30, 1us)), Not(HasSubstr("convoy")));
}

// --- confidence ---------------------------------------------------------------------------------------------

std::string verdict_of_maxima(const std::vector<sim::Nanoseconds>& before, const std::vector<sim::Nanoseconds>& after) {
  Results results(2);
  for (std::size_t index = 0; index < before.size(); ++index) {
    results[0].push_back(result_of({{"ps", in_mlock(worked(1, before[index]))}}, index + 1));
    results[1].push_back(result_of({{"ps", in_mlock(worked(1, after[index]))}}, index + 1));
  }
  return text_of(Comparison(patch(), results));
}

TEST(Verdict, SaysThatOneReplicationGivesNoIntervals) {
  EXPECT_THAT(verdict_of_maxima({2us}, {1us}), HasSubstr("One replication: no confidence intervals."));
  EXPECT_THAT(verdict_of_maxima({2us, 2us}, {1us, 1us}), Not(HasSubstr("One replication")));
}

TEST(Verdict, GivesTheIntervalOfTheDifference) {
  EXPECT_THAT(verdict_of_maxima({20us, 21us, 22us}, {10us, 11us, 12us}),
              HasSubstr("; difference -10.0 us [-10.0 us, -10.0 us])"));
}

TEST(Verdict, DoesNotCallADifferenceThatIsNotShownADifference) {
  const std::string text = verdict_of_maxima({10us, 90us, 20us}, {30us, 10us, 25us});
  EXPECT_THAT(text, HasSubstr("  No: next to no difference"));
  EXPECT_THAT(text, HasSubstr(", none shown)"));
}

TEST(Verdict, CallsASmallDifferenceThatIsShownADifference) {
  EXPECT_THAT(verdict_of_maxima({120us, 121us, 122us}, {100us, 101us, 102us}), HasSubstr("  Yes, for everybody"));
}

TEST(Verdict, DoesNotCallADifferenceThatNobodyWouldCareForADifference) {
  EXPECT_THAT(verdict_of_maxima({102us, 103us, 104us}, {100us, 101us, 102us}),
              HasSubstr("  No: next to no difference"));
}

// --- reclaim ------------------------------------------------------------------------------------------------

TEST(Verdict, TellsOnesOwnReclaimFromThatOfAHolder) {
  const auto reclaimed = tests::spent(10, 3ms, models::Cause::direct_reclaim);
  const auto waited_for_it = waited(10, 1ms, {1, Phase::mlock_populate, LockMode::write, -1, models::Cause::device_io});
  auto before = result_of({{"faulter", in_mlock(tests::both(reclaimed, waited_for_it))}, {"locker", {}}});
  const auto after = result_of({{"faulter", in_mlock(worked(10, 1ms))}, {"locker", {}}});
  const std::string text = text_of(Comparison(patch(), {{before}, {after}}));
  EXPECT_THAT(
      text,
      HasSubstr("    write_held          75.0 % their own,  25.0 % waiting for a holder of mmap_sem who reclaims"));
  EXPECT_THAT(text, Not(HasSubstr("    downgrade            0.0 %")));
}

TEST(Verdict, IsSilentAboutReclaimWhereThereIsNone) {
  EXPECT_THAT(verdict_of_maxima({2us}, {1us}), Not(HasSubstr("Reclaim")));
}

// --- what has to be known -----------------------------------------------------------------------------------

TEST(Verdict, SaysWhereARunRanOutOfMemory) {
  auto fine = result_of({{"ps", in_mlock(worked(5, 1ms))}});
  auto died = result_of({{"ps", in_mlock(worked(5, 1ms))}}, 9);
  died.policy = "downgrade";
  died.outcome = models::Outcome::out_of_memory;
  died.sim_time = 45ms;
  died.memory.reclaim.futile_rounds = 17;
  died.memory.at_end.unevictable = models::PageCount(262'144);
  died.memory.at_end.inactive_anon = models::PageCount(512);
  died.memory.at_end.active_anon = models::PageCount(256);
  EXPECT_THAT(text_of(Comparison(patch(), {{fine}, {died}})),
              HasSubstr("downgrade, seed 9: OUT OF MEMORY after 45.0 ms: an allocation found nothing to reclaim in 17 "
                        "rounds, with 1 GiB locked, 3 MiB anonymous (0 B in swap), 0 B page cache; the figures"));
  EXPECT_THAT(text_of(Comparison(patch(), {{fine}, {fine}})), Not(HasSubstr("OUT OF MEMORY")));
}

std::string verdict_with_open_loop(std::uint64_t served, std::uint64_t unfinished, bool open_loop = true) {
  auto result = result_of({{"open_faulter", in_mlock(worked(served, 1ms))}});
  result.policy = "downgrade";
  result.classes[0].open_loop = open_loop;
  result.classes[0].unfinished = unfinished;
  return text_of(Comparison(tests::scenario_of({tests::downgrade()}), {{result}}));
}

TEST(Verdict, SaysThatAnOpenLoopIsSaturated) {
  EXPECT_THAT(
      verdict_with_open_loop(1000, 4000),
      HasSubstr(
          "downgrade, seed 1: the open loop open_faulter is saturated: 4000 requests were due and not served when "
          "the run ended, 1000 were"));
  EXPECT_THAT(verdict_with_open_loop(0, 4000), HasSubstr("saturated"));
}

TEST(Verdict, DoesNotCallALoopThatKeepsUpSaturated) {
  EXPECT_THAT(verdict_with_open_loop(1000, 1), Not(HasSubstr("saturated")));
  EXPECT_THAT(verdict_with_open_loop(10, 4000, false), Not(HasSubstr("saturated"))) << "a closed loop cannot be";
}

TEST(Verdict, DoesNotCallAnOpenLoopThatWasNeverAskedSaturated) {
  EXPECT_THAT(verdict_with_open_loop(0, 0), Not(HasSubstr("saturated")));
}

TEST(Verdict, ExplainsTheDashesAndTheClosedLoop) {
  EXPECT_THAT(verdict_of_maxima({2us}, {1us}),
              AllOf(HasSubstr("fewer than ten samples lie beyond"), HasSubstr("A closed loop asks nothing")));
}

// --- closed and open loops ----------------------------------------------------------------------------------

models::ThreadSpec faulter(const std::string& name, const models::Arrival& arrival) {
  return {name, 1, models::FaulterSpec{std::nullopt, arrival}};
}

const models::Arrival kClosed = models::ClosedLoop{sim::Constant{50us}};
const models::Arrival kOpen = models::OpenLoop{sim::Constant{100us}};

// The gaps in a scenario with these threads; faulter and open_faulter went through this during munlock, and both
// through 2,000 requests of 10 us while the locker was idle.
std::string gaps_of(const std::vector<models::ThreadSpec>& threads, const models::Samples& closed,
                    const models::Samples& open) {
  models::Scenario scenario = tests::scenario_of({tests::downgrade()});
  scenario.processes.push_back({.name = "db", .rlimit_memlock = {}, .regions = {}, .threads = threads});
  const models::Samples idle = worked(2'000, 10us);
  auto result = result_of({{"faulter", {{Phase::idle, idle}, {Phase::munlock_walk, closed}}},
                           {"open_faulter", {{Phase::idle, idle}, {Phase::munlock_walk, open}}}});
  return closed_loop_gaps(Comparison(scenario, {{result}}));
}

const std::vector<models::ThreadSpec> kBoth{faulter("faulter", kClosed), faulter("open_faulter", kOpen)};

TEST(ClosedLoopGaps, NameWhatAClosedLoopDoesNotSee) {
  EXPECT_EQ(gaps_of(kBoth, worked(7, 650ms), worked(5'000, 645ms)),
            "    Under downgrade, p99 during munlock: faulter (closed loop, 7 requests) -, open_faulter (open, "
            "5000) 645 ms:\n"
            "    a closed loop asks nothing while it waits.\n");
  EXPECT_THAT(gaps_of(kBoth, worked(1'000, 10us), worked(5'000, 645ms)),
              HasSubstr("faulter (closed loop, 1000 requests) 10.0 us, open_faulter (open, 5000) 645 ms:"));
}

TEST(ClosedLoopGaps, AreNotNamedWhereThereIsNone) {
  EXPECT_EQ(gaps_of(kBoth, worked(7, 10us), worked(5'000, 12us)), "") << "too few to have a p99, but none was stalled";
  EXPECT_EQ(gaps_of(kBoth, worked(1'000, 600ms), worked(5'000, 645ms)), "") << "both see it";
  EXPECT_EQ(gaps_of(kBoth, worked(7, 650ms), worked(9, 645ms)), "") << "idle is the only call with a p99";
}

TEST(ClosedLoopGaps, AreOfLoopsThatAskForTheSame) {
  const auto gaps = [](const models::ThreadSpec& one, const models::ThreadSpec& other) {
    return gaps_of({one, other}, worked(7, 650ms), worked(5'000, 645ms));
  };
  EXPECT_NE(gaps(faulter("open_faulter", kOpen), faulter("faulter", kClosed)), "") << "in any order";
  EXPECT_EQ(gaps(faulter("faulter", kOpen), faulter("open_faulter", kOpen)), "");
  EXPECT_EQ(gaps(faulter("faulter", kClosed), faulter("open_faulter", kClosed)), "");
  EXPECT_EQ(gaps(faulter("faulter", kClosed),
                 {"open_faulter", 1, models::MapperSpec{models::Bytes{models::kPageSize}, kOpen}}),
            "");
  EXPECT_EQ(gaps(faulter("faulter", kClosed), {"open_faulter", 1, models::FaulterSpec{"heap", kOpen}}), "");
  EXPECT_EQ(gaps({"faulter", 1, models::LockerSpec{"heap", {}, 1}}, faulter("open_faulter", kOpen)), "");
}

TEST(ClosedLoopGaps, ArePartOfTheVerdict) {
  models::Scenario scenario = tests::scenario_of({tests::downgrade()});
  scenario.processes.push_back({.name = "db", .rlimit_memlock = {}, .regions = {}, .threads = kBoth});
  const auto result = result_of({{"faulter", in_mlock(both(worked(2'000, 10us), worked(7, 650ms)))},
                                 {"open_faulter", in_mlock(worked(2'000, 645ms))}});
  EXPECT_THAT(text_of(Comparison(scenario, {{result}})),
              EndsWith("Under downgrade, p99 during mlock: faulter (closed loop, 2007 requests) 10.0 us, open_faulter "
                       "(open, 2000) 645 ms:\n    a closed loop asks nothing while it waits.\n"));
}

}  // namespace
}  // namespace experiments::verdict_test
