#include "models/sched/interruptions.h"

#include <algorithm>
#include <string>

#include "models/task.h"

namespace models {

Interruptions::Source::Source(Interruptions& all, const Interruption& the_spec, int the_cpu,
                              const sim::Stream& the_stream)
    : spec(the_spec),
      cpu(the_cpu),
      stream(the_stream),
      begin(all.engine_.calendar(), [this, &all] { all.begin(*this); }) {}

Interruptions::Interruptions(sim::Engine& engine, Cpus& cpus, const NoiseSpec& noise, std::uint64_t seed)
    : engine_(engine), cpus_(cpus) {
  for (std::size_t index = 0; index < noise.interruptions.size(); ++index) {
    const Interruption& spec = noise.interruptions[index];
    if (spec.by == Interruption::By::task) continue;
    for (int cpu = 0; cpu < cpus.count(); ++cpu) {
      const std::string owner = "cpu." + std::to_string(cpu);
      await_next(
          sources_.emplace_back(*this, spec, cpu, sim::Stream(seed, owner, "interruptions." + std::to_string(index))));
    }
  }
}

void Interruptions::await_next(Source& source) {
  source.due += source.spec.every.sample(source.stream);
  source.begin.schedule(std::max(source.due, engine_.now()));
}

void Interruptions::begin(Source& source) {
  const sim::Time free = cpus_.stands_still_until(source.cpu);
  if (engine_.now() < free) return source.begin.schedule(free);
  const sim::Nanoseconds length = source.spec.length.sample(source.stream);
  if (length > sim::Nanoseconds{0})
    cpus_.stand_still(source.cpu, length, source.spec.by == Interruption::By::hypervisor);
  await_next(source);
}

void run_interrupting_task(Task& current, const Interruption& spec) {
  sim::Stream& stream = current.stream(Purpose::demand);
  for (sim::Time due{};;) {
    due += spec.every.sample(stream);
    const sim::Nanoseconds length = spec.length.sample(stream);
    current.sleep_until(due);
    current.work(length);
    current.settle();
  }
}

}  // namespace models
