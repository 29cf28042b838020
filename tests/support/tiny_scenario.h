// Scenarios that run in milliseconds: one of everything, and a convoy.
#pragma once

#include <gtest/gtest.h>

#include "experiments/scenario/scenario_file.h"
#include "tests/support/command_line.h"
#include "tests/support/places.h"

namespace tests {

/// The line numbers in commands_test.cpp count in this text.
inline constexpr const char* kTinyScenario = R"(schema: mlocksim/1
name: tiny
about: One of everything, in milliseconds.
machine: {from: machines/epyc-zen4-linux-6.18, cpus: 4}
memory: {size: 32MiB, free: 16MiB}
policies: [write_held, downgrade, unlock_downgrade]
seed: 1
processes:
  - name: db
    regions: {heap: {size: 4MiB, kind: anon}}
    threads:
      locker: {run: locker, region: heap, script: [hold 1ms, mlock, hold 1ms, munlock, hold 1ms, munmap], repeat: 3}
      faulter: {run: faulter, count: 2, closed: {think: exponential 20us}}
      open_faulter: {run: faulter, open: {every: exponential 50us}}
      mapper: {run: mapper, closed: {think: constant 200us}}
  - name: ps
    threads:
      ps: {run: proc_reader, file: cmdline, target: db, closed: {think: constant 1ms}}
)";

/// A reader of smaps with a long hold, a writer that waits for it, faults that queue behind the writer.
inline constexpr const char* kConvoyScenario = R"(schema: mlocksim/1
name: convoy
machine: {from: machines/epyc-zen4-linux-6.18, cpus: 8, costs: {proc_smaps_page: 10ns, proc_open: 15us}}
memory: {size: 1GiB, pressure: none}
policy: linux-5.18
duration: 400ms
processes:
  - name: db
    regions: {heap: {size: 512MiB, kind: anon, pages: resident}}
    threads:
      faulter: {run: faulter, count: 2, open: {every: exponential 50us}}
      mapper: {run: mapper, closed: {think: exponential 1ms}}
      idler: {run: faulter, closed: {think: constant 20ms}}
  - name: other
    regions: {heap: {size: 4MiB, kind: anon}}
    threads:
      bystander: {run: faulter, open: {every: exponential 100us}}
  - name: monitoring
    threads:
      smaps: {run: proc_reader, file: smaps, target: db, closed: {think: constant 2ms}}
)";

inline models::Scenario tiny_scenario() {
  use_source_configs();
  const TemporaryFolder folder;
  return experiments::read_scenario(folder.write("tiny.yaml", kTinyScenario));
}

}  // namespace tests
