#include "models/measure/worst_request.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "sim/random.h"
#include "tests/support/lock_waits.h"

namespace models::worst_request_test {
namespace {

using sim::Nanoseconds;
using namespace std::chrono_literals;

sim::Time at(std::int64_t nanoseconds) { return sim::Time{Nanoseconds{nanoseconds}}; }

TEST(WorstRequests, KeepsTheLongestAndTheEarlierOfTwoThatAreAsLong) {
  WorstRequests worst;
  for (int number = 0; number < 100; ++number) {
    const Nanoseconds latency = (number * 37 % 50) * 1ns;  // each length twice
    if (worst.admits(latency)) worst.add({std::to_string(number), at(number), latency, Phase::idle, {}, {}});
  }
  const std::vector<WorstRequest> requests = worst.requests();
  ASSERT_EQ(requests.size(), WorstRequests::kMost);
  for (std::size_t place = 0; place < WorstRequests::kMost; ++place) {
    const WorstRequest& request = requests[place];
    EXPECT_EQ(request.latency, (49 - static_cast<std::int64_t>(place) / 2) * 1ns);
    EXPECT_EQ(request.due < at(50), place % 2 == 0) << place;
  }
}

/// A task whose requests fall due every so often, and take `service` each, of which it waits for locks most.
class Server {
 public:
  Server(Nanoseconds every, std::int64_t service) : every_(every), service_(service) { ledger_.remember(); }

  /// Serves the next request and has it added to both.
  void serve(WorstRequests& later, WorstRequests& at_once) {
    const sim::Time due = at(0) + number_ * every_;
    now_ = std::max(now_, due);
    ledger_.forget_before(due);
    ledger_.charge(Cause::lock_wait, now_);
    for (int piece = 0; piece < 4; ++piece) {
      const sim::Time from = now_;
      now_ += Nanoseconds{1 + static_cast<std::int64_t>(chance_() % static_cast<std::uint64_t>(service_ / 4))};
      ledger_.add({from, now_, {static_cast<ClassId>(chance_() % 3)}});
    }
    ledger_.charge(Cause::cpu, now_);
    now_ += Nanoseconds{service_ / 4};
    ledger_.charge(Cause::sleep, now_);
    later.ended();
    if (at_once.admits(now_ - due)) at_once.add(worst_request(ledger_, "server", due, now_, Phase::idle));
    if (later.admits(now_ - due)) later.add(ledger_, "server", due, now_, Phase::idle);
    ++number_;
  }

  [[nodiscard]] const Ledger& ledger() const { return ledger_; }

 private:
  Nanoseconds every_;
  std::int64_t service_;
  sim::Stream chance_{1, "service", "test"};
  Ledger ledger_;
  sim::Time now_{};
  std::int64_t number_ = 0;
};

// Overdue more and more, and not at all; of two tasks; asked for before all of them have been put together and after.
TEST(WorstRequests, PutTogetherLaterTheyAreWhatTheyWere) {
  for (const Nanoseconds every : {40ns, 60ns, 200ns}) {
    WorstRequests later;
    WorstRequests at_once;
    Server one(every, 60);
    Server other(2 * every, 90);
    for (int number = 0; number < 3'000; ++number) {
      (number % 3 == 0 ? other : one).serve(later, at_once);
      if (number % 700 == 5) {
        ASSERT_EQ(later.requests(), at_once.requests()) << number;
      }
    }
    later.put_together();
    EXPECT_EQ(later.requests(), at_once.requests());
  }
}

TEST(WorstRequests, KeepNoLedgerForEver) {
  WorstRequests later;
  WorstRequests at_once;
  Server server(200ns, 60);
  std::size_t most = 0;
  for (int number = 0; number < 20'000; ++number) {
    server.serve(later, at_once);
    if (number > 10'000) most = std::max(most, tests::lock_waits(server.ledger()).size());
  }
  EXPECT_LT(most, 4U * 600);
  later.put_together();
  server.serve(later, at_once);
  EXPECT_EQ(later.requests(), at_once.requests());
}

}  // namespace
}  // namespace models::worst_request_test
