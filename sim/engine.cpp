#include "sim/engine.h"

#include <simgrid/kernel/Timer.hpp>
#include <simgrid/s4u.hpp>

#include <algorithm>
#include <cassert>
#include <csignal>
#include <utility>

#include "sim/context_factory.h"

namespace sim {

namespace {

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

struct sigaction at_interrupt() {
  struct sigaction action {};
  sigaction(SIGINT, nullptr, &action);
  return action;
}

// Unwinds the stack of an actor that is still parked when the run has ended. No std::exception: nobody else is to catch
// it. (SimGrid throws one of its own in an actor that it finds killed inside a simcall.)
struct RunEnded {};

// SimGrid's clock may have been rounded up past `time`; it refuses dates before its clock.
double simgrid_date(Time time) { return std::max(to_seconds(time), simgrid::s4u::Engine::get_clock()); }

}  // namespace

struct Engine::SimGrid {
  explicit SimGrid(const std::vector<std::string>& arguments) : engine(make_simgrid(arguments)), host(make_host()) {
    sigaction(SIGINT, &before, nullptr);
  }

  const struct sigaction before =
      at_interrupt();  // SimGrid takes Ctrl-C over, to print and exit in the middle of a turn
  simgrid::s4u::Engine engine;
  simgrid::s4u::Host* host;
  std::vector<simgrid::s4u::ActorPtr> actors;  // those that ours know by address
};

Actor::Actor(Engine& engine, std::string name, Body body)
    : engine_(engine), name_(std::move(name)), body_(std::move(body)), resumption_(engine.calendar(), *this) {}

void Actor::start() {
  Engine::SimGrid& simgrid = *engine_.simgrid_;
  const auto body = [this] {
    try {
      run();
    } catch (const RunEnded&) {  // its stack has been unwound
    }
  };
  simgrid.actors.push_back(simgrid::s4u::Actor::create(name_, simgrid.host, body));
  simgrid_actor_ = simgrid.actors.back().get();
  resume_at(Time{});
}

void Actor::run() {
  if (engine_.switches_) {
    context_ = &own_context();
    leave_context(*context_);
    if (engine_.ended_) return;
  } else {
    await_turn();
  }
  try {
    body_();
  } catch (const std::exception&) {
    engine_.failure_ = std::current_exception();
    engine_.stop();
  }
  if (engine_.switches_) {
    hand_over();
  } else {
    engine_.pass_turn(engine_.next_turn());
  }
}

void Actor::park() {
  if (engine_.switches_) return hand_over();
  engine_.pass_turn(engine_.next_turn());
  await_turn();
}

void Actor::hand_over() {
  Actor* const next = engine_.next_turn();
  if (next == this) return;
  switch_context(*context_, next == nullptr ? *engine_.conductor_ : *next->context_);
  if (engine_.ended_) throw RunEnded{};
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
    : simgrid_(std::make_unique<SimGrid>(options.simgrid_arguments)),
      stepwise_(options.stepwise),
      switches_(!stepwise_ && can_switch_contexts()) {}

Engine::~Engine() = default;

Actor& Engine::spawn(std::string name, Actor::Body body) {
  Actor& actor = actors_.emplace_back(*this, std::move(name), std::move(body));
  actor.start();
  return actor;
}

void Engine::run() {
  if (switches_) {
    // SimGrid starts it after all others.
    simgrid::s4u::Actor::create("conductor", simgrid_->host, [this] { conduct(); });
  } else {
    // The first turn is passed after SimGrid has started every actor and they all wait.
    simgrid::kernel::timer::Timer::set(0.0, [this] { pass_turn(next_turn()); });
  }
  simgrid_->engine.run();
  if (failure_) std::rethrow_exception(failure_);
}

void Engine::conduct() {
  conductor_ = &own_context();
  if (Actor* const first = next_turn()) switch_context(*conductor_, *first->context_);
  end_run();
}

Actor* Engine::next_turn() {
  while (!stopped_) {
    const auto next = calendar_.take_next();
    if (!next) break;
    assert(next->at >= now_ && "an event was scheduled in the past");
    now_ = next->at;
    rank_ = next->event->rank();
    if (Actor* const actor = next->event->actor()) return actor;
    next->event->fire();
  }
  return nullptr;
}

void Engine::pass_turn(Actor* next) {
  if (next == nullptr) return end_run();
  simgrid::kernel::timer::Timer::set(simgrid_date(now_), [next] { next->take_turn(); });
}

// The horizon of whoever has the turn is the next appointment of all others: up to there nobody can tell whether it has
// gone through the calendar.
bool Engine::pass_time(const Event& resumption, Time at) {
  if (stepwise_ || stopped_ || !calendar_.would_be_next(resumption, at)) return false;
  assert(rank_ == resumption.rank() && "it is not its turn");
  now_ = at;
  return true;
}

void Engine::end_run() {
  ended_ = true;
  // From SimGrid's own context, because an actor cannot unwind the stack that it is running on.
  simgrid::kernel::timer::Timer::set(simgrid_date(now_), [this] {
    for (Actor& actor : actors_) actor.simgrid_actor_->kill();
  });
}

}  // namespace sim
