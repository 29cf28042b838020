#!/usr/bin/env bash
# perf 6.1 (Debian 12, linux-perf 6.1.176-1) and getrusage on Linux 6.18: which page faults count where mlock populates.
#
# Guessed: perf's page-faults and getrusage's ru_minflt + ru_majflt are one number, whoever brought the pages in; a page
# that had to be read from the disk is a major fault, whether it was touched or mlocked.
#
# Seen:
# - perf counts no fault of mlock or madvise(MADV_POPULATE_*): what getrusage has as 20,000 faults are none for `perf
#   stat -e page-faults`, as perf counts exceptions, and these pages come without one. A program that was changed from
#   touching its memory to mlocking it seems to have lost its faults. After mlock2(MLOCK_ONFAULT), where touching brings
#   the pages in, both count all.
# - mlock of a file that is not in the page cache has no major fault: all of it is read from the disk, page by page
#   (ru_inblock), and each page is in ru_minflt. mlock gives up at a page that must be read, and when it is there comes
#   again as if for the first time: a hit. MADV_POPULATE_READ reads the same pages likewise, knows that it comes again,
#   and has them all in ru_majflt, as has who touches them. `Major page faults: 0` does not say that a program that
#   mlocks did not wait for a disk.
#
# Installs the pinned package in a temporary folder (apt-get download); needs root, a C compiler, a kernel of 6.18, and
# a temporary folder on a disk. Fails if any of it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"

release=$(uname -r)
case $release in 6.18*) ;; *) echo "this was seen on Linux 6.18, here is $release: no comparison" >&2; exit 1 ;; esac

apt-get download -qq linux-perf=6.1.176-1 libbabeltrace1 libcap2 libdw1 libelf1 libnuma1 libopencsd1 libperl5.36 \
  libpython3.11 libslang2 libunwind8 2>downloads.log || { cat downloads.log; exit 1; }
for package in *.deb; do dpkg-deb -x "$package" root; done
export LD_LIBRARY_PATH=$folder/root/usr/lib/x86_64-linux-gnu:$folder/root/lib/x86_64-linux-gnu
perf=$folder/root/usr/bin/perf

cat >pages.c <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PAGE = 4096, ANONYMOUS_PAGES = 20000, FILE_PAGES = 500 };
// Debian 12's C library has no names for these two.
enum { POPULATE_READ = 22, POPULATE_WRITE = 23 };

static void need(int holds, const char *what) {
  if (holds) return;
  perror(what);
  exit(2);
}

// A file on the disk of which no page is in the page cache.
static int cold_file(void) {
  char page[PAGE];
  int file = open("cold", O_RDWR | O_CREAT | O_TRUNC, 0600);
  need(file >= 0, "open");
  memset(page, 1, sizeof page);
  for (int i = 0; i < FILE_PAGES; ++i) need(write(file, page, PAGE) == PAGE, "write");
  need(fsync(file) == 0, "fsync");
  need(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
  return file;
}

// pages anonymous|file touch|mlock|onfault|populate: brings pages in, and says what getrusage has of that.
int main(int count, char **words) {
  need(count == 3, "usage");
  int of_file = !strcmp(words[1], "file");
  const char *how = words[2];
  size_t size = (size_t)PAGE * (of_file ? FILE_PAGES : ANONYMOUS_PAGES);
  char *memory = of_file ? mmap(0, size, PROT_READ, MAP_SHARED, cold_file(), 0)
                         : mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  need(memory != MAP_FAILED, "mmap");
  // Page by page: without huge pages, and without reading ahead.
  need(madvise(memory, size, of_file ? MADV_RANDOM : MADV_NOHUGEPAGE) == 0, "madvise");

  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  if (!strcmp(how, "mlock")) need(mlock(memory, size) == 0, "mlock");
  if (!strcmp(how, "onfault")) need(mlock2(memory, size, MLOCK_ONFAULT) == 0, "mlock2");
  if (!strcmp(how, "populate")) need(madvise(memory, size, of_file ? POPULATE_READ : POPULATE_WRITE) == 0, "populate");
  if (!strcmp(how, "touch") || !strcmp(how, "onfault"))
    for (volatile char *page = memory; page < memory + size; page += PAGE) {
      if (of_file) (void)*page;
      else *page = 1;
    }
  getrusage(RUSAGE_SELF, &after);
  printf("%ld %ld %ld\n", after.ru_minflt - before.ru_minflt, after.ru_majflt - before.ru_majflt,
         after.ru_inblock - before.ru_inblock);
}
C
cc -O1 pages.c -o pages

expect() {  # what, command...
  local what=$1
  shift
  if "$@"; then echo "as seen: $what"; else echo "changed: $what" >&2; exit 1; fi
}

# perf's count is that of the whole program, which has some hundred faults besides.
look() {  # anonymous|file, how: sets minor, major, blocks, and perf's faults and majors
  "$perf" stat -x, -e page-faults,major-faults -o counts -- ./pages "$1" "$2" >said
  read -r minor major blocks <said
  faults=$(awk -F, '/page-faults/ { print $1 }' counts)
  majors=$(awk -F, '/major-faults/ { print $1 }' counts)
  printf '%-9s %-8s  getrusage: %5d minor, %3d major, %4d blocks read;  perf: %5d faults, %3d of them major\n' \
    "$1" "$2" "$minor" "$major" "$blocks" "$faults" "$majors"
}

for how in touch onfault; do
  look anonymous "$how"
  expect "$how: both count all" test "$minor" -ge 20000 -a "$faults" -ge 20000
done
for how in mlock populate; do
  look anonymous "$how"
  expect "$how: getrusage counts all, perf none" test "$minor" -ge 20000 -a "$faults" -lt 2000
done

look file touch
[ "$blocks" -gt 0 ] || { echo "nothing was read: is the temporary folder on a disk? TMPDIR says where" >&2; exit 1; }
expect 'touch of a file: both count all as major' test "$major" -ge 500 -a "$majors" -ge 500
read_by_touch=$blocks
look file onfault
expect 'onfault of a file: both count all as major' test "$major" -ge 500 -a "$majors" -ge 500
look file populate
expect 'populate of a file: getrusage counts all as major' test "$major" -ge 500
expect 'populate of a file: perf counts none' test "$faults" -lt 400 -a "$majors" -lt 100
look file mlock
expect 'mlock of a file: as much was read' test "$blocks" -ge "$read_by_touch"
expect 'mlock of a file: getrusage counts all as minor, none as major' test "$minor" -ge 500 -a "$major" -lt 10
expect 'mlock of a file: perf counts none' test "$faults" -lt 400 -a "$majors" -lt 100
