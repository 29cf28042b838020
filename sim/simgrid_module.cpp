#include "sim/simgrid_module.h"

#include <simgrid/version.h>
#include <simgrid/kernel/Timer.hpp>
#include <simgrid/s4u.hpp>

#include <algorithm>
#include <csignal>
#include <utility>

#include "sim/context_factory.h"
#include "sim/context_switch.h"
#include "sim/simgrid.h"

namespace sim {

namespace {

// SimGrid's Engine takes argc and argv by reference and edits them.
simgrid::s4u::Engine make_engine(const std::vector<std::string>& extra) {
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

simgrid::s4u::Host* make_host([[maybe_unused]] const simgrid::s4u::Engine& engine) {
  // The speed is never used: work is measured in nanoseconds, not in flops.
  constexpr double kSpeed = 1e9;
#if SIMGRID_VERSION_MAJOR >= 4  // which makes a zone itself, and deprecates what was there before
  auto* zone = engine.get_netzone_root();
  auto* host = zone->add_host("host", kSpeed);
#else
  auto* zone = simgrid::s4u::create_full_zone("machine");
  auto* host = zone->create_host("host", kSpeed);
#endif
  zone->seal();
  return host;
}

struct sigaction at_interrupt() {
  struct sigaction action {};
  sigaction(SIGINT, nullptr, &action);
  return action;
}

class Module : public SimGrid {
 public:
  explicit Module(const std::vector<std::string>& arguments)
      : engine_(make_engine(arguments)), host_(make_host(engine_)) {
    sigaction(SIGINT, &before_, nullptr);
  }

  simgrid::s4u::Actor& add(const std::string& name, const std::function<void()>& body) override {
#if SIMGRID_VERSION_MAJOR >= 4
    return *actors_.emplace_back(simgrid::s4u::Engine::add_actor(name, host_, body));
#else
    return *actors_.emplace_back(simgrid::s4u::Actor::create(name, host_, body));
#endif
  }
  void run() override { engine_.run(); }
  void call_at(Time at, std::function<void()> what) override {
    // It refuses dates before its clock.
    simgrid::kernel::timer::Timer::set(std::max(to_seconds(at), simgrid::s4u::Engine::get_clock()), std::move(what));
  }

  void suspend() override { simgrid::s4u::this_actor::suspend(); }
  void resume(simgrid::s4u::Actor& actor) override { actor.resume(); }
  void kill(simgrid::s4u::Actor& actor) override { actor.kill(); }

  [[nodiscard]] bool can_switch_contexts() const override { return sim::can_switch_contexts(); }
  [[nodiscard]] Context& own_context() const override { return sim::own_context(); }
  void switch_context(Context& from, Context& to) const override { sim::switch_context(from, to); }
  void leave_context(Context& from) const override { sim::leave_context(from); }

 private:
  const struct sigaction before_ =
      at_interrupt();  // SimGrid takes Ctrl-C over, to print and exit in the middle of a turn
  simgrid::s4u::Engine engine_;
  simgrid::s4u::Host* host_;
  std::vector<simgrid::s4u::ActorPtr> actors_;
};

}  // namespace

}  // namespace sim

extern "C" [[gnu::visibility("default")]] sim::SimGrid* mlocksim_start_simgrid(
    const std::vector<std::string>& arguments) {
  return new sim::Module(arguments);
}
