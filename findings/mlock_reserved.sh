#!/usr/bin/env bash
# Linux 6.18: mlock, mlockall and mprotect of memory that is reserved (PROT_NONE) first and made accessible later.
#
# Guessed: an mlock that fails has locked nothing; mprotect changes flags and entries, and pages come when they are
# touched; where the kernel populates locked memory it holds mmap_lock for read, so that others who read go on;
# mlockall(MCL_FUTURE) holds until munlockall.
#
# Seen:
# - mlock of PROT_NONE fails with ENOMEM, and has locked it: VmLck (and what RLIMIT_MEMLOCK is held against) is larger
#   by all of it, without a page.
# - The mprotect that makes it writable populates it, all of it, in the one hold of mmap_lock for write that mprotect
#   is: a mincore in another thread, which asks for read mode, is answered hundreds of times during an mlock of as much,
#   and during the mprotect not at all. Not where it is shared, locked by MLOCK_ONFAULT, or not locked. Nobody has to
#   call mprotect for that: malloc in a thread other than the first grows its arena so. After mlockall(MCL_FUTURE) what
#   is allocated there is there before it is touched.
# - mlockall(MCL_CURRENT) ends an earlier mlockall(MCL_FUTURE): two calls with a flag each are not one with both. What
#   is mapped afterwards is not locked, and nothing says so.
#
# Installs nothing; needs root, a C compiler, a kernel of 6.18, and two CPUs. Fails if any of it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"

release=$(uname -r)
case $release in 6.18*) ;; *) echo "this was seen on Linux 6.18, here is $release: no comparison" >&2; exit 1 ;; esac

cat >reserved.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static const size_t size = 128 << 20;
static char *asked;
static volatile long answers;
static volatile int stop;

static void need(int holds, const char *what) {
  if (holds) return;
  perror(what);
  exit(2);
}

static void pause_for(long nanoseconds) { nanosleep(&(struct timespec){0, nanoseconds}, 0); }

// Somebody who needs mmap_lock for read, again and again.
static void *ask(void *unused) {
  unsigned char there;
  while (!stop) {
    need(mincore(asked, 4096, &there) == 0, "mincore");
    ++answers;
    pause_for(50000);
  }
  return unused;
}

static long status(const char *name) {  // of /proc/self/status, in MiB
  char line[256];
  long kibibytes = -1;
  FILE *file = fopen("/proc/self/status", "r");
  need(file != 0, "status");
  while (fgets(line, sizeof line, file))
    if (!strncmp(line, name, strlen(name))) sscanf(line + strlen(name), ": %ld", &kibibytes);
  fclose(file);
  return (kibibytes + 512) / 1024;
}

static char *reserve(int protection, int sharing) {
  char *memory = mmap(0, size, protection, sharing | MAP_ANONYMOUS, -1, 0);
  need(memory != MAP_FAILED, "mmap");
  // Page by page, whatever huge pages are set to.
  need(madvise(memory, size, MADV_NOHUGEPAGE) == 0, "madvise");
  return memory;
}

static int ascending(const void *one, const void *other) {
  return (*(const long *)one > *(const long *)other) - (*(const long *)one < *(const long *)other);
}

enum How { LOCK_IT, PROTECT_LOCKED, PROTECT_SHARED, PROTECT_ON_FAULT, PROTECT_UNLOCKED };

static long microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

// Prints what is resident after a call of `how`, how long it took in microseconds, and how often ask() was answered
// during it; of the last two the median of five.
static void look(enum How how) {
  enum { TIMES = 5 };
  long answered[TIMES], took[TIMES], resident = 0;
  for (int i = 0; i < TIMES; ++i) {
    char *memory = reserve(how == LOCK_IT ? PROT_READ | PROT_WRITE : PROT_NONE,
                           how == PROTECT_SHARED ? MAP_SHARED : MAP_PRIVATE);
    if (how == PROTECT_LOCKED || how == PROTECT_SHARED) need(mlock(memory, size) != 0 && errno == ENOMEM, "mlock");
    if (how == PROTECT_ON_FAULT) need(mlock2(memory, size, MLOCK_ONFAULT) == 0, "mlock2");
    resident = status("VmRSS");
    pause_for(5000000);
    long before = answers, start = microseconds();
    if (how == LOCK_IT) need(mlock(memory, size) == 0, "mlock");
    else need(mprotect(memory, size, PROT_READ | PROT_WRITE) == 0, "mprotect");
    took[i] = microseconds() - start;
    answered[i] = answers - before;
    resident = status("VmRSS") - resident;
    need(munmap(memory, size) == 0, "munmap");
  }
  qsort(answered, TIMES, sizeof *answered, ascending);
  qsort(took, TIMES, sizeof *took, ascending);
  printf("%ld %ld %ld\n", resident, took[TIMES / 2], answered[TIMES / 2]);
}

static void *allocate(void *unused) {
  long resident = status("VmRSS");  // with the thread's stack, which MCL_FUTURE has locked
  for (int i = 0; i < 512; ++i) need(malloc(64000) != 0, "malloc");
  printf("%ld\n", status("VmRSS") - resident);
  return unused;
}

int main(int count, char **words) {
  need(count == 2, "usage");
  const char *what = words[1];
  if (!strcmp(what, "failing")) {
    long locked = status("VmLck"), resident = status("VmRSS");
    char *memory = reserve(PROT_NONE, MAP_PRIVATE);
    int error = mlock(memory, size) ? errno : 0;
    printf("%s %ld %ld\n", strerrorname_np(error), status("VmLck") - locked, status("VmRSS") - resident);
  } else if (!strcmp(what, "future") || !strcmp(what, "future_current") || !strcmp(what, "both")) {
    need(mlockall(strcmp(what, "both") ? MCL_FUTURE : MCL_FUTURE | MCL_CURRENT) == 0, "mlockall");
    if (!strcmp(what, "future_current")) need(mlockall(MCL_CURRENT) == 0, "mlockall");
    long locked = status("VmLck");
    reserve(PROT_READ | PROT_WRITE, MAP_PRIVATE);
    printf("%ld\n", status("VmLck") - locked);
  } else if (!strcmp(what, "arena") || !strcmp(what, "arena_locked")) {
    if (!strcmp(what, "arena_locked")) need(mlockall(MCL_FUTURE) == 0, "mlockall");
    pthread_t thread;
    need(pthread_create(&thread, 0, allocate, 0) == 0, "pthread_create");
    pthread_join(thread, 0);
  } else {
    pthread_t asker;
    asked = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    need(asked != MAP_FAILED, "mmap");
    need(pthread_create(&asker, 0, ask, 0) == 0, "pthread_create");
    for (enum How how = LOCK_IT; how <= PROTECT_UNLOCKED; ++how) look(how);
    stop = 1;
    pthread_join(asker, 0);
  }
}
C
cc -O1 -pthread reserved.c -o reserved

expect() {  # what, command...
  local what=$1
  shift
  if "$@"; then echo "as seen: $what"; else echo "changed: $what" >&2; exit 1; fi
}

read -r error locked resident < <(./reserved failing)
echo "mlock of 128 MiB of PROT_NONE: $error, VmLck $locked MiB more, VmRSS $resident MiB more"
expect 'it fails' test "$error" = ENOMEM
expect 'it is locked' test "$locked" -eq 128
expect 'nothing is there' test "$resident" -lt 8

# In the order of enum How.
names=('mlock' 'mprotect, private and locked' 'mprotect, shared and locked' 'mprotect, MLOCK_ONFAULT'
  'mprotect, not locked')
./reserved populate >rows.txt
mapfile -t rows <rows.txt
for row in "${!names[@]}"; do
  read -r resident took answered <<<"${rows[row]}"
  echo "${names[row]}: VmRSS $resident MiB more, $took us, mincore was answered $answered times"
done
read -r resident took answered <<<"${rows[0]}"
expect 'mlock populates, and who reads goes on' test "$resident" -ge 120 -a "$answered" -ge 15
read -r resident took answered <<<"${rows[1]}"
expect 'mprotect of what is locked populates, and nobody goes on' test "$resident" -ge 120 -a "$answered" -le 2
for row in 2 3 4; do
  read -r resident took answered <<<"${rows[row]}"
  expect "${names[row]}: nothing is populated" test "$resident" -lt 8
done

touched=$(./reserved arena)
locked=$(./reserved arena_locked)
echo "a thread allocates 31 MiB and touches none: VmRSS $touched MiB more, after mlockall(MCL_FUTURE) $locked MiB"
expect 'otherwise it is not there' test "$touched" -lt 8
expect 'after MCL_FUTURE it is' test "$locked" -ge 28

for how in future both future_current; do
  locked=$(./reserved "$how")
  echo "mmap of 128 MiB after $how: VmLck $locked MiB more"
  if [ "$how" = future_current ]; then
    expect 'mlockall(MCL_CURRENT) has ended mlockall(MCL_FUTURE)' test "$locked" -eq 0
  else
    expect 'it is locked' test "$locked" -eq 128
  fi
done
