#!/usr/bin/env bash
# perf 6.1 (Debian 12, linux-perf 6.1.176-1) on Linux 6.18: where `perf lock contention` prints, and whom it names.
#
# Guessed: a table that is asked for goes to standard output, so that `perf lock contention >table.txt` keeps it; the
# caller in a row is the kernel function that asked for the lock, the same for whoever comes by the same function.
#
# Seen:
# - Standard output stays empty. The whole table is on standard error, among the warnings: what people redirect into a file
#   to attach it is an empty file.
# - The caller is not who asked, but who called that. The default --stack-skip 3 is for kernels in which the tracepoint's
#   own function is on the stack; 6.18's is not, so that besides the semaphore's two functions it skips the asker. For
#   munmap and for reads in mmap that still tells the call (__x64_sys_munmap, vm_mmap_pgoff). For writes in mmap it is
#   do_syscall_64, which every system call has: mmap's largest waits stand under nobody's name. With --stack-skip 2 they
#   are vm_mmap_pgoff's.
#
# Installs the pinned package in a temporary folder (apt-get download); needs root, a C compiler, a kernel of 6.18 with
# lock:contention_begin, and two CPUs. Fails if any of it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"

release=$(uname -r)
case $release in 6.18*) ;; *) echo "this was seen on Linux 6.18, here is $release: nothing to compare" >&2; exit 1 ;; esac

apt-get download -qq linux-perf=6.1.176-1 libbabeltrace1 libcap2 libdw1 libelf1 libnuma1 libopencsd1 libperl5.36 \
  libpython3.11 libslang2 libunwind8 2>downloads.log || { cat downloads.log; exit 1; }
for package in *.deb; do dpkg-deb -x "$package" root; done
export LD_LIBRARY_PATH=$folder/root/usr/lib/x86_64-linux-gnu:$folder/root/lib/x86_64-linux-gnu
perf=$folder/root/usr/bin/perf

cat >mappers.c <<'C'
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

enum { SIZE = 1 << 20, THREADS = 4 };
static volatile int stop;

static void *map_and_unmap(void *unused) {
  while (!stop) {
    void *memory = mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    munmap(memory, SIZE);
  }
  return unused;
}

int main(void) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; ++i) pthread_create(&threads[i], 0, map_and_unmap, 0);
  nanosleep(&(struct timespec){1, 0}, 0);
  stop = 1;
  for (int i = 0; i < THREADS; ++i) pthread_join(threads[i], 0);
}
C
cc -O1 -pthread mappers.c -o mappers

"$perf" lock record -o locks.data -- ./mappers >record.log 2>&1 || { cat record.log; exit 1; }
"$perf" lock contention -i locks.data >table.txt 2>errors.txt
"$perf" lock contention --stack-skip 2 -i locks.data 2>skip2.txt
cat errors.txt

expect() {  # what, command...
  local what=$1
  shift
  if "$@"; then echo "as seen: $what"; else echo "changed: $what" >&2; exit 1; fi
}
expect 'standard output is empty' test ! -s table.txt
expect 'the table is on standard error' grep -q 'contended  *total wait  *max wait' errors.txt
expect 'readers of mmap are named' grep -Eq 'rwsem:R +vm_mmap_pgoff' errors.txt
expect 'writers of mmap are not' grep -Eq 'rwsem:W +do_syscall_64' errors.txt
expect 'no writer is named vm_mmap_pgoff' bash -c '! grep -Eq "rwsem:W +vm_mmap_pgoff" errors.txt'
expect 'a frame less, and they are' grep -Eq 'rwsem:W +vm_mmap_pgoff' skip2.txt
