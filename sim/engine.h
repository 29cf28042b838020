// The engine: virtual time, SimGrid's actors, and the order in which they take their turns.
//
// Scope. An actor is a SimGrid actor that runs plain C++ and gives up its turn by park(). What happens
// next is decided by one Calendar: exactly one actor runs at any moment, and events at the same nanosecond
// come in the order of their ranks. SimGrid carries the actors and the clock; the calendar carries the order.
//
// Two ways through the same history. By default an actor whose own event is the next one goes on without leaving its
// stack, and otherwise switches to the stack of the next one itself (sim/context_switch.h): for SimGrid the whole run
// is one round, and its clock catches up at the end. With `stepwise` every event goes through SimGrid's clock and main
// loop: slow, obviously right, and the reference that the default must equal to the byte. (So SimGrid's own traces show
// the right times with `stepwise` only.)
//
// Limits. SimGrid keeps its clock in globals: one Engine, run once, in a process.
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/calendar.h"
#include "sim/simgrid.h"
#include "sim/time.h"

namespace sim {

class Engine;

/// One thread of control of the simulated world.
class Actor {
 public:
  using Body = std::function<void()>;

  Actor(Engine& engine, std::string name, Body body);
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }

  /// Makes the actor's turn come at `at`, in place of any earlier appointment.
  void resume_at(Time at) { resumption_.schedule(at); }
  /// Takes back resume_at: the actor stays parked until somebody makes a new appointment.
  void cancel_resumption() { resumption_.cancel(); }
  /// When the actor's turn comes; nothing when nobody has made an appointment.
  [[nodiscard]] std::optional<Time> resumption() const { return resumption_.due(); }

  /// Gives up the turn; returns at the moment of the appointment in force then. Only for the running actor.
  void park();
  /// Gives up the turn until `at`, or until the appointment that somebody else has made meanwhile. Where nothing is due
  /// before, time just passes. Only for the running actor.
  void pass_time_until(Time at);
  /// Lets time pass until `at` if nothing is due before; else it does nothing. Only for the running actor.
  [[nodiscard]] bool skips_to(Time at);
  /// Whether skips_to(at) would: nobody else has a turn until then, whatever this actor does. False in a stepwise run.
  [[nodiscard]] bool can_skip_to(Time at) const;

 private:
  friend class Engine;

  void start();
  void run();
  void hand_over();
  void await_turn();
  void take_turn();

  Engine& engine_;
  std::string name_;
  Body body_;
  Event resumption_;
  bool its_turn_ = false;                         // where turns go by way of SimGrid
  Context* context_ = nullptr;                    // where they don't
  simgrid::s4u::Actor* simgrid_actor_ = nullptr;  // the engine keeps it
};

class Engine {
 public:
  struct Options {
    bool stepwise = false;                       ///< every event through SimGrid's clock
    std::vector<std::string> simgrid_arguments;  ///< passed to SimGrid as they are (`--cfg=...`, `--log=...`)
  };

  explicit Engine(const Options& options);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  [[nodiscard]] Time now() const { return now_; }
  [[nodiscard]] bool stepwise() const { return stepwise_; }
  [[nodiscard]] Calendar& calendar() { return calendar_; }

  /// Adds an actor whose body begins at time 0. Only before run(). The reference stays valid.
  Actor& spawn(std::string name, Actor::Body body);

  /// Runs until stop() or until no event is left. Rethrows what an actor's body threw.
  void run();

  /// Counts one event of the model: a moment at which an actor met others. Work that touches nothing shared is none,
  /// so the count is the same whether steps are taken one by one or run ahead.
  void count_events(std::uint64_t events = 1) { events_ += events; }
  [[nodiscard]] std::uint64_t events() const { return events_; }

  /// Whether a turn of `actor` at this very moment would have come before the present one.
  [[nodiscard]] bool is_past(const Actor& actor) const { return actor.resumption_.rank() < rank_; }

  /// Ends the run at the present moment: whoever calls it finishes its turn, nobody else gets one.
  void stop() { stopped_ = true; }

 private:
  friend class Actor;

  /// Takes events off the calendar until one resumes an actor; null when the run has ended.
  Actor* next_turn();
  /// Gives the turn to `next` by way of SimGrid.
  void pass_turn(Actor* next);
  /// Whether `resumption`, due then, would be the next event, and nothing has to be done step by step.
  [[nodiscard]] bool would_be_next(const Event& resumption, Time at) const {
    return !stepwise_ && !stopped_ && calendar_.would_be_next(resumption, at);
  }
  /// Lets time pass until `at` if `resumption` would be the next event then. Returns whether it has.
  bool pass_time(const Event& resumption, Time at);
  void conduct();
  void end_run();

  std::unique_ptr<SimGrid> simgrid_;
  bool stepwise_;
  bool switches_;                 // turns go from stack to stack
  Context* conductor_ = nullptr;  // where SimGrid thinks that they all happen
  bool stopped_ = false;
  bool ended_ = false;  // all stacks are to be unwound
  Time now_{};
  std::uint32_t rank_ = 0;  // of the event whose turn it is
  std::uint64_t events_ = 0;
  Calendar calendar_;
  std::deque<Actor> actors_;
  std::exception_ptr failure_;
};

}  // namespace sim
