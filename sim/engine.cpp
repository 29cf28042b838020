#include "sim/engine.h"

#include <simgrid/kernel/Timer.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace sim {

namespace {

// The address sanitizer cannot follow SimGrid's own stack switching; threads it can.
#if defined(__SANITIZE_ADDRESS__)
constexpr const char* kContextFactory = "--cfg=contexts/factory:thread";
#else
constexpr const char* kContextFactory = "--cfg=contexts/factory:raw";
#endif

// SimGrid's Engine takes argc and argv by reference and edits them.
simgrid::s4u::Engine make_simgrid(const std::vector<std::string>& extra) {
  std::vector<std::string> arguments{
      "mlocksim",
      "--log=xbt_cfg.thresh:warning",
      // With the default of 1e-9, SimGrid 3.32 merges events 1 ns apart.
      "--cfg=surf/precision:1e-12",
      kContextFactory,
      "--cfg=contexts/stack-size:128",
  };
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  int count = static_cast<int>(arguments.size());
  char** values = pointers.data();
  return simgrid::s4u::Engine(&count, values);
}

simgrid::s4u::Host* make_host() {
  auto* zone = simgrid::s4u::create_full_zone("machine");
  // The speed is never used: work is measured in nanoseconds, not in flops.
  auto* host = zone->create_host("host", 1e9);
  zone->seal();
  return host;
}

// SimGrid's clock may have been rounded up past `time`; it refuses dates before its clock.
double simgrid_date(Time time) { return std::max(to_seconds(time), simgrid::s4u::Engine::get_clock()); }

}  // namespace

Actor::Actor(Engine& engine, std::string name, Body body)
    : engine_(engine), name_(std::move(name)), body_(std::move(body)), resumption_(engine.calendar(), *this) {}

void Actor::start() {
  simgrid_actor_ = simgrid::s4u::Actor::create(name_, engine_.host_, [this] {
    await_turn();
    try {
      body_();
    } catch (const std::exception&) {
      engine_.failure_ = std::current_exception();
      engine_.stop();
    }
    engine_.pass_turn(nullptr);
  });
  resume_at(Time{});
}

void Actor::park() {
  if (!engine_.pass_turn(this)) await_turn();
}

void Actor::pass_time_until(Time at) {
  if (engine_.pass_time(resumption_, at)) return;
  resume_at(at);
  park();
}

// Its turn may have come before it gets here: whom it handed over to runs first, and may have handed back.
void Actor::await_turn() {
  while (!std::exchange(its_turn_, false)) simgrid::s4u::this_actor::suspend();
}

void Actor::take_turn() {
  its_turn_ = true;
  simgrid_actor_->resume();
}

Engine::Engine(const Options& options)
    : simgrid_(make_simgrid(options.simgrid_arguments)), host_(make_host()), stepwise_(options.stepwise) {}

Actor& Engine::spawn(std::string name, Actor::Body body) {
  Actor& actor = actors_.emplace_back(*this, std::move(name), std::move(body));
  actor.start();
  return actor;
}

void Engine::run() {
  // The first turn is passed after SimGrid has started every actor and they all wait.
  simgrid::kernel::timer::Timer::set(0.0, [this] { pass_turn(nullptr); });
  simgrid_.run();
  if (failure_) std::rethrow_exception(failure_);
}

bool Engine::pass_turn(const Actor* running) {
  while (!stopped_) {
    const auto next = calendar_.take_next();
    if (!next) break;
    assert(next->at >= now_ && "an event was scheduled in the past");
    now_ = next->at;
    rank_ = next->event->rank();
    Actor* const actor = next->event->actor();
    if (actor == nullptr) {
      next->event->fire();
    } else if (actor == running && !stepwise_) {
      return true;
    } else {
      if (running != nullptr && !stepwise_) {
        actor->take_turn();
      } else {
        simgrid::kernel::timer::Timer::set(simgrid_date(now_), [actor] { actor->take_turn(); });
      }
      return false;
    }
  }
  end_run();
  return false;
}

// The horizon of whoever has the turn is the next appointment of all others: up to there nobody can tell whether it has
// gone through the calendar.
bool Engine::pass_time(const Event& resumption, Time at) {
  if (stepwise_ || stopped_ || !calendar_.would_be_next(resumption, at)) return false;
  now_ = at;
  rank_ = resumption.rank();
  return true;
}

void Engine::end_run() {
  // From SimGrid's own context, because an actor cannot unwind the stack that it is running on.
  simgrid::kernel::timer::Timer::set(simgrid_date(now_), [this] {
    for (Actor& actor : actors_) actor.simgrid_actor_->kill();
  });
}

}  // namespace sim
