#!/usr/bin/env bash
# SimGrid 3.32 (Debian 12, libsimgrid3.32 3.32-2+b2): when actors that sleep until a date are awake, and whose Ctrl-C is.
#
# Guessed: this_actor::sleep_until(date) returns when the clock is at `date`, or a rounding error behind it; of several
# actors that sleep until one date, the one that asked first goes on first; a library leaves the signals of the program
# alone, and what a program was started to ignore stays ignored.
#
# Seen:
# - Of dates 1 ns apart the second is passed early: who asked for 1.000000002 is awake at 1.000000001, before its date, by
#   the clock that the library itself shows. With surf/precision at 1e-12 each is awake at its own date. (The default,
#   1e-9, is documented as the precision of updates, not as one of dates: what ends within it of the next date ends then.)
# - Actors that asked at one moment for one date are woken in the opposite order: the last one first.
#   Either can reorder a simulation that counts in nanoseconds without a word.
# - Making the Engine takes SIGINT over, and SIGINT only: a handler that the program had is replaced, and a simulation that
#   was started to ignore it (by `&` in a script) can be interrupted again.
#
# Installs the pinned packages in a temporary folder (apt-get download, no root); needs g++ and Debian 12's archive. Fails if
# any of it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"

apt-get download -qq libsimgrid3.32=3.32-2+b2 libsimgrid-dev=3.32-2+b2 libns3.37 libboost1.74-dev libboost-context1.74.0 \
  libboost-stacktrace1.74.0 libgfortran5 libquadmath0 libgsl27 libgslcblas0 2>downloads.log || { cat downloads.log; exit 1; }
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$folder/root/usr/lib/x86_64-linux-gnu

cat >sleepers.cpp <<'CPP'
#include <simgrid/s4u.hpp>

#include <cstdio>
#include <cstdlib>

// sleepers DATE...: an actor for each, made in this order, which says when it is awake.
int main(int argc, char** argv) {
  simgrid::s4u::Engine engine(&argc, argv);
  auto* zone = simgrid::s4u::create_full_zone("zone");
  auto* host = zone->create_host("host", 1e9);
  zone->seal();
  for (int number = 1; number < argc; ++number) {
    const double date = std::atof(argv[number]);
    simgrid::s4u::Actor::create("sleeper", host, [number, date] {
      simgrid::s4u::this_actor::sleep_until(date);
      std::printf("%d asked for %.9f, awake at %.9f\n", number, date, simgrid::s4u::Engine::get_clock());
    });
  }
  engine.run();
}
CPP
g++ -std=c++17 -I root/usr/include sleepers.cpp -L "$libraries" -lsimgrid -Wl,-rpath-link,"$libraries" -o sleepers
export LD_LIBRARY_PATH=$libraries

cat >signals.cpp <<'CPP'
#include <simgrid/s4u.hpp>

#include <csignal>
#include <cstdio>

void mine(int) {}

const char* state(int signal) {
  struct sigaction now {};
  sigaction(signal, nullptr, &now);
  return now.sa_handler == mine ? "the program's" : now.sa_handler == SIG_IGN ? "ignored" : "another's";
}

// signals: what becomes of handlers; signals ignored: of signals that are ignored.
int main(int argc, char** argv) {
  for (int signal : {SIGINT, SIGTERM}) std::signal(signal, argc > 1 ? SIG_IGN : mine);
  simgrid::s4u::Engine engine(&argc, argv);
  std::printf("SIGINT: %s, SIGTERM: %s\n", state(SIGINT), state(SIGTERM));
}
CPP
g++ -std=c++17 -I root/usr/include signals.cpp -L "$libraries" -lsimgrid -Wl,-rpath-link,"$libraries" -o signals

expect() {  # what, the output that was seen, command...
  local what=$1 seen=$2
  shift 2
  local now
  now=$("$@" 2>/dev/null)
  echo "$what"
  echo "$now" | sed 's/^/    /'
  [ "$now" = "$seen" ] || { echo "this has changed; it was:"; echo "$seen" | sed 's/^/    /'; exit 1; }
}

expect "dates 1 ns apart" \
"1 asked for 1.000000000, awake at 1.000000000
2 asked for 1.000000001, awake at 1.000000001
3 asked for 1.000000002, awake at 1.000000001
4 asked for 1.000000003, awake at 1.000000003" \
  ./sleepers 1.000000000 1.000000001 1.000000002 1.000000003

expect "the same with surf/precision:1e-12" \
"1 asked for 1.000000000, awake at 1.000000000
2 asked for 1.000000001, awake at 1.000000001
3 asked for 1.000000002, awake at 1.000000002
4 asked for 1.000000003, awake at 1.000000003" \
  ./sleepers --cfg=surf/precision:1e-12 1.000000000 1.000000001 1.000000002 1.000000003

expect "one date" \
"4 asked for 1.000000000, awake at 1.000000000
3 asked for 1.000000000, awake at 1.000000000
2 asked for 1.000000000, awake at 1.000000000
1 asked for 1.000000000, awake at 1.000000000" \
  ./sleepers 1 1 1 1

expect "signals that the program handles" "SIGINT: another's, SIGTERM: the program's" ./signals

expect "signals that it was started to ignore" "SIGINT: another's, SIGTERM: ignored" ./signals ignored
