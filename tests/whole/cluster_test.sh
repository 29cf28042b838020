#!/usr/bin/env bash
# Studies on several machines: one swept in shards by a Slurm job array, by GNU parallel over ssh, or as the pods of a
# Kubernetes Job call the same script, must come to the same bytes as swept whole. All daemons are this test's own, on
# loopback, with ports, keys and files of their own.
#
#   tests/whole/cluster_test.sh slurm|ssh|shards MLOCKSIM        # exit code 77: skipped, and one line that says why
set -euo pipefail

kind=$1
program=$(realpath "$2")
tools=$(realpath "$(dirname "$0")/../../tools")
PATH=$PATH:/usr/sbin:/sbin  # where daemons are, also for those who are not root
# Of a cluster that runs us, or of the taste of who does.
unset "${!MLOCKSIM@}" "${!SLURM_@}" "${!SBATCH_@}" "${!PARALLEL_@}" PARALLEL

folder=$(mktemp -d "/tmp/mlocksim-$kind.XXXXXX")
# Daemons and what they start inherit this: it tells our processes from all others.
export MLOCKSIM_TEST_FOLDER=$folder
daemons=()
made_run_sshd=no
# Munge wants everybody to reach its socket.
chmod 755 "$folder"

our_processes() {
  local daemon  # sshd writes its title over its environment
  for daemon in "${daemons[@]}"; do ! kill -0 "$daemon" 2>/dev/null || echo "$daemon"; done
  grep -lsz "^MLOCKSIM_TEST_FOLDER=$folder\$" /proc/[0-9]*/environ | cut -d/ -f3
}

clean_up() {
  local code=$? left
  trap - EXIT
  trap '' INT TERM HUP
  export -n MLOCKSIM_TEST_FOLDER  # what follows must not find itself
  set +e
  [ "$code" -eq 0 ] || [ "$code" -eq 77 ] || tail -n 20 "$folder"/*.log >&2
  # Meson gives half a second, and nothing of theirs is kept: they need not end in order. They may still start others.
  for _ in {1..50}; do
    left=$(our_processes)
    [ -n "$left" ] || break
    # shellcheck disable=SC2086
    kill -KILL $left 2>/dev/null
    sleep 0.02
  done
  [ "$made_run_sshd" = no ] || rmdir /run/sshd 2>/dev/null
  rm -rf "$folder"
  exit "$code"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

skip() {
  echo "SKIPPED: ${*//$'\n'/; }"
  exit 77
}

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

need() {  # package, programs...
  local package=$1 name
  shift
  for name in "$@"; do
    command -v "$name" >/dev/null || skip "$name is missing: tools/setup --cluster installs $package"
  done
}

within() {  # seconds, command...: until the command holds
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.1
  done
}

# In the background, because a trap waits for what is in the foreground.
limited() {  # seconds, command...
  timeout "$@" &
  wait $!
}

free_ports() {  # how many
  python3 -c '
import socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(each.getsockname()[1] for each in sockets))' "$1"
}

write_study() {
  cat >"$folder/tiny.yaml" <<'YAML'
schema: mlocksim/1
name: tiny
machine: {from: machines/epyc-zen4-linux-6.18, cpus: 4}
memory: {size: 32MiB, free: 16MiB}
seed: 1
processes:
  - name: db
    regions: {heap: {size: 4MiB, kind: anon}}
    threads:
      locker: {run: locker, region: heap, script: [hold 1ms, mlock, hold 1ms, munlock, hold 1ms, munmap], repeat: 3}
      faulter: {run: faulter, count: 2, closed: {think: exponential 20us}}
YAML
  cat >"$folder/study.yaml" <<'YAML'
schema: mlocksim/1
name: tiny_study
scenario: tiny
policies: [downgrade, unlock_downgrade]
axes:
  region: {set: "processes[0].regions.heap.size", values: [1MiB, 2MiB]}
  faulters: {set: "processes[0].threads.faulter.count", values: 1..5}
replications: 2
measure: max(faulter.munlock)
YAML
}

sweep_whole() {
  limited 200 "$program" sweep "$folder/study.yaml" -o "$folder/whole" -j 2 >"$folder/whole.log" 2>&1
  "$program" results "$folder/whole" --csv "$folder/whole.csv" >/dev/null
}

compare() {  # folder of the merged store
  "$program" results "$1" --csv "$folder/merged.csv" >/dev/null
  cmp "$folder/whole.csv" "$folder/merged.csv" || fail "the shards, merged, are not the whole"
  [ "$(wc -l <"$folder/whole.csv")" -gt 40 ] || fail "the study has 40 runs, each with a line at least"
  echo "the $(wc -l <"$folder/merged.csv") lines of CSV are those of one machine"
}

start_slurm() {
  local name ctld_port slurmd_port
  name=$(hostname -s)
  read -r ctld_port slurmd_port < <(free_ports 2)
  mkdir "$folder/state" "$folder/spool"
  head -c 1024 /dev/urandom >"$folder/munge.key"
  chmod 600 "$folder/munge.key"
  export SLURM_CONF=$folder/slurm.conf
  cat >"$SLURM_CONF" <<CONF
ClusterName=mlocksim_test
SlurmctldHost=$name(127.0.0.1)
SlurmctldPort=$ctld_port
SlurmdPort=$slurmd_port
# Nobody else's business: both listen on loopback only.
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthInfo=socket=$folder/munge.socket
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
# Control groups belong to the machine.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,batch_sched_delay=0
MailProg=/bin/true
MpiDefault=none
NodeName=$name NodeAddr=127.0.0.1 CPUs=2
PartitionName=all Nodes=ALL Default=YES
CONF
  munged --foreground --socket="$folder/munge.socket" --key-file="$folder/munge.key" --num-threads=1 \
    --pid-file="$folder/munge.pid" --seed-file="$folder/munge.seed" --log-file="$folder/munge.log" \
    >"$folder/munged.log" 2>&1 &
  daemons+=($!)
  disown
  within 30 munge --socket="$folder/munge.socket" --no-input ||
    skip "munged does not start: $(tail -n 1 "$folder/munged.log")"
  slurmctld -D >"$folder/slurmctld.log" 2>&1 &
  daemons+=($!)
  disown
  slurmd -D -N "$name" >"$folder/slurmd.log" 2>&1 &
  daemons+=($!)
  disown
  within 60 node_is_idle_or_lost || true
  node_is_idle ||
    skip "Slurm does not start: $(grep -h fatal "$folder"/slurm*.log || tail -q -n 1 "$folder"/slurm*.log)"
}

node_is_idle_or_lost() {  # there is nothing to wait for any more
  local daemon
  for daemon in "${daemons[@]}"; do kill -0 "$daemon" 2>/dev/null || return 0; done
  node_is_idle
}

node_is_idle() { timeout 5 sinfo --noheader --format=%T | grep -qx idle; }

no_job_is_left() {
  local jobs
  jobs=$(timeout 5 squeue --noheader) && [ -z "$jobs" ]
}

submit() { sbatch --parsable --array=1-3 --output=task.%a.log "$tools/sweep-shard" study.yaml out; }

test_slurm() {
  need Slurm slurmctld slurmd sbatch sinfo squeue
  need munge munged munge
  start_slurm
  write_study
  sweep_whole
  cd "$folder"
  # Where a user has it who submits from the project's folder.
  mkdir -p build/experiments
  ln -s "$program" build/experiments/mlocksim
  local job
  job=$(submit)
  sbatch --dependency="afterok:$job" --kill-on-invalid-dep=yes --output=merge.log \
    --wrap "build/experiments/mlocksim merge -o out out/shard.*" >sbatch.log
  within 200 no_job_is_left || fail "the jobs do not end"
  compare out
  submit >sbatch.log
  within 200 no_job_is_left || fail "the jobs do not end"
  [ "$(cat task.?.log | grep -c ' 0 of them new, 0 failed')" -eq 3 ] ||
    fail "submitted again, tasks did not end at once"
  echo "submitted again, no task ran anything twice"
}

start_sshd() {
  read -r port < <(free_ports 1)
  ssh-keygen -q -t ed25519 -N '' -f "$folder/key"
  ssh-keygen -q -t ed25519 -N '' -f "$folder/host_key"
  if [ "$(id -u)" -eq 0 ] && [ ! -d /run/sshd ]; then
    made_run_sshd=yes
    mkdir /run/sshd  # sshd insists on it
  fi
  cat >"$folder/sshd_config" <<CONF
ListenAddress 127.0.0.1:$port
ListenAddress 127.0.0.2:$port
ListenAddress 127.0.0.3:$port
HostKey $folder/host_key
AuthorizedKeysFile $folder/key.pub
PidFile $folder/sshd.pid
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
# The folder is in /tmp, which others may write.
StrictModes no
MaxStartups 100
# Not the user's home: what shells read and do there is no business of a test that may be killed.
SetEnv MLOCKSIM_TEST_FOLDER=$folder HOME=$folder
CONF
  cat >"$folder/ssh_config" <<CONF
Port $port
IdentityFile $folder/key
IdentitiesOnly yes
BatchMode yes
ConnectTimeout 10
StrictHostKeyChecking no
UserKnownHostsFile $folder/known_hosts
LogLevel ERROR
CONF
  "$(command -v sshd)" -D -e -f "$folder/sshd_config" >"$folder/sshd.log" 2>&1 &
  daemons+=($!)
  disown
  within 30 timeout 5 ssh -F "$folder/ssh_config" 127.0.0.1 true ||
    skip "no ssh to a sshd of our own: $(tail -n 1 "$folder/sshd.log")"
}

test_ssh() {
  need openssh-server sshd
  need openssh-client ssh ssh-keygen
  need parallel parallel
  need rsync rsync
  start_sshd
  write_study
  sweep_whole
  cd "$folder"
  # Three addresses of this machine: parallel takes them for three hosts.
  for address in 127.0.0.1 127.0.0.2 127.0.0.3; do echo "ssh -F $folder/ssh_config $address"; done >hosts
  export MLOCKSIM=$program MLOCKSIM_HOST_FOLDER=$folder/host HOME=$folder
  limited 200 "$tools/sweep-hosts" hosts study.yaml out >first.log 2>&1 || fail "tools/sweep-hosts, see first.log"
  compare out
  limited 200 "$tools/sweep-hosts" hosts study.yaml out >again.log 2>&1 || fail "tools/sweep-hosts, see again.log"
  [ "$(grep -c ' 0 of them new, 0 failed' again.log)" -eq 3 ] || fail "started again, hosts did not end at once"
  echo "started again, no host ran anything twice"
}

# As a pod would: the index from 0, the command and the number of shards as tools/sweep-job.yaml has them.
run_pod() {  # index, how many
  JOB_COMPLETION_INDEX=$1 SHARDS=$2 JOBS=1 MLOCKSIM=$program limited 200 "$tools/sweep-shard" study.yaml out
}

test_shards() {
  local completions shards index
  completions=$(sed -n 's/^  completions: \([0-9]*\).*/\1/p' "$tools/sweep-job.yaml")
  shards=$(sed -n 's/.*name: SHARDS, value: "\([0-9]*\)".*/\1/p' "$tools/sweep-job.yaml")
  [ "$completions" -eq "$shards" ] || fail "sweep-job.yaml: $completions completions, $shards shards"
  grep -q 'command: \[.*/sweep-shard, ' "$tools/sweep-job.yaml" || fail "sweep-job.yaml does not call sweep-shard"
  write_study
  sweep_whole
  cd "$folder"
  for index in 0 1 2; do run_pod "$index" 3 >"pod.$index.log" 2>&1; done
  "$program" merge -o out out/shard.* >/dev/null
  compare out
  run_pod 1 3 >again.log 2>&1
  grep -q ' 0 of them new, 0 failed' again.log || fail "a pod that comes again runs something twice"
  rm -r out
  for index in 1 2 3; do MLOCKSIM=$program "$tools/sweep-shard" study.yaml out "$index/3" >"plain.$index.log" 2>&1; done
  "$program" merge -o out out/shard.* >/dev/null
  compare out
  ! "$tools/sweep-shard" study.yaml out 2>refused.log || fail "no shard was refused"
  grep -q 'expected K/N' refused.log || fail "without a word"
}

case $kind in
  slurm) test_slurm ;;
  ssh) test_ssh ;;
  shards) test_shards ;;
  *) echo "expected slurm, ssh or shards" >&2; exit 2 ;;
esac
