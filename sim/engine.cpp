#include "sim/engine.h"

#include <cassert>
#include <utility>

namespace sim {

namespace {

// Unwinds the stack of an actor that is still parked when the run has ended. No std::exception: nobody else is to catch
// it. (SimGrid throws one of its own in an actor that it finds killed inside a simcall.)
struct RunEnded {};

}  // namespace

Actor::Actor(Engine& engine, std::string name, Body body)
    : engine_(engine), name_(std::move(name)), body_(std::move(body)), resumption_(engine.calendar(), *this) {}

void Actor::start() {
  const auto body = [this] {
    try {
      run();
    } catch (const RunEnded&) {  // its stack has been unwound
    }
  };
  simgrid_actor_ = &engine_.simgrid_->add(name_, body);
  resume_at(Time{});
}

void Actor::run() {
  if (engine_.switches_) {
    context_ = &engine_.simgrid_->own_context();
    engine_.simgrid_->leave_context(*context_);
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
  engine_.simgrid_->switch_context(*context_, next == nullptr ? *engine_.conductor_ : *next->context_);
  if (engine_.ended_) throw RunEnded{};
}

bool Actor::skips_to(Time at) { return engine_.pass_time(resumption_, at); }

bool Actor::can_skip_to(Time at) const { return engine_.would_be_next(resumption_, at); }

void Actor::pass_time_until(Time at) {
  if (skips_to(at)) return;
  resume_at(at);
  park();
}

// Its turn may have come before it gets here: whom it handed over to runs first, and may have handed back.
void Actor::await_turn() {
  while (!std::exchange(its_turn_, false)) engine_.simgrid_->suspend();
}

void Actor::take_turn() {
  its_turn_ = true;
  engine_.simgrid_->resume(*simgrid_actor_);
}

Engine::Engine(const Options& options)
    : simgrid_(start_simgrid(options.simgrid_arguments)),
      stepwise_(options.stepwise),
      switches_(!stepwise_ && simgrid_->can_switch_contexts()) {}

Engine::~Engine() = default;

Actor& Engine::spawn(std::string name, Actor::Body body) {
  Actor& actor = actors_.emplace_back(*this, std::move(name), std::move(body));
  actor.start();
  return actor;
}

void Engine::run() {
  if (switches_) {
    // SimGrid starts it after all others.
    simgrid_->add("conductor", [this] { conduct(); });
  } else {
    // The first turn is passed after SimGrid has started every actor and they all wait.
    simgrid_->call_at(Time{}, [this] { pass_turn(next_turn()); });
  }
  simgrid_->run();
  if (failure_) std::rethrow_exception(failure_);
}

void Engine::conduct() {
  conductor_ = &simgrid_->own_context();
  if (Actor* const first = next_turn()) simgrid_->switch_context(*conductor_, *first->context_);
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
  simgrid_->call_at(now_, [next] { next->take_turn(); });
}

// The horizon of whoever has the turn is the next appointment of all others: up to there nobody can tell whether it has
// gone through the calendar.
bool Engine::pass_time(const Event& resumption, Time at) {
  if (!would_be_next(resumption, at)) return false;
  assert(rank_ == resumption.rank() && "it is not its turn");
  now_ = at;
  return true;
}

void Engine::end_run() {
  ended_ = true;
  // From SimGrid's own context, because an actor cannot unwind the stack that it is running on.
  simgrid_->call_at(now_, [this] {
    for (const Actor& actor : actors_) simgrid_->kill(*actor.simgrid_actor_);
  });
}

}  // namespace sim
