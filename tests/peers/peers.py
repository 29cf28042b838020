"""Runs one small model through mlocksim and through its peers, and tells where their results differ.

What a peer prints has the layout of `mlocksim run --json`, so whatever it prints must be what mlocksim says at the same
place. How long it took, under `engine`, is its own affair. Used by peers_test.py and tools/bench.
"""
import dataclasses
import json
import os
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent

PAGE_SIZE_KIB = 4
NOT_INSTALLED = 77  # the exit code of a peer that cannot run here

# What every peer has to print, so that a comparison means something; `mapper` only where there is one.
REQUIRED = (
    'sim_time_ns', 'warm_up_ns', 'cool_down_ns',
    'classes.faulter.warm_up', 'classes.faulter.total.count', 'classes.faulter.total.mean_ns',
    'classes.faulter.total.max_ns', 'classes.faulter.total.blame.lock_wait', 'classes.faulter.total.blame.wake_up',
    'locks.mmap_sem.read.acquisitions', 'locks.mmap_sem.read.contended', 'locks.mmap_sem.read.wait.count',
    'locks.mmap_sem.write.acquisitions', 'locks.mmap_sem.write.contended', 'locks.mmap_sem.write.wait.count',
    'syscalls.mlock.calls', 'syscalls.mlock.max_ns', 'syscalls.munlock.calls', 'syscalls.munlock.max_ns',
)


class NotInstalled(Exception):
    """A peer needs something that this machine lacks; the message says what."""


@dataclasses.dataclass(frozen=True)
class Model:
    """The model of peers.yaml, or with a mapper that of peers_with_mapper.yaml, with what is varied in it."""
    policy: str
    pages: int = 2048
    faulters: int = 8
    mapper: bool = False
    seed: int = 1

    @property
    def cpus(self):
        """More than there are threads: theirs and mlocksim's kswapd."""
        return max(16, self.faulters + 8)

    def mlocksim_arguments(self):
        scenario = 'peers_with_mapper.yaml' if self.mapper else 'peers.yaml'
        sets = {
            'machine.cpus': self.cpus,
            'processes[0].regions.heap.size': f'{self.pages * PAGE_SIZE_KIB}KiB',
            'processes[0].threads.faulter.count': self.faulters,
        }
        arguments = ['run', HERE / scenario, '--policy', self.policy, '--seed', str(self.seed)]
        for key, value in sets.items():
            arguments += ['--set', f'{key}={value}']
        return arguments

    def peer_arguments(self):
        arguments = ['--policy', self.policy, '--pages', str(self.pages), '--faulters', str(self.faulters),
                     '--cpus', str(self.cpus), '--seed', str(self.seed)]
        return arguments + (['--mapper'] if self.mapper else [])

    def draws(self):
        """How many random numbers of each kind a faulter needs at most: a request takes longer than ten pages do."""
        return self.pages // 10 + 1000


@dataclasses.dataclass(frozen=True)
class Run:
    result: dict
    cpu_seconds: float  # of the whole process
    peak_kib: int       # its largest resident set

    @property
    def loop_seconds(self):
        return self.result['engine']['wall_ns'] / 1e9


def _execute(command, output):
    """Returns the exit code and what the process used; what it prints goes to `output`."""
    process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=subprocess.PIPE, text=True)
    message = process.stderr.read()
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode == NOT_INSTALLED:
        raise NotInstalled(message.strip())
    if process.returncode != 0:
        raise RuntimeError(f'{" ".join(str(part) for part in command)}: exit code {process.returncode}\n{message}')
    return usage


def run_mlocksim(program, arguments):
    with tempfile.TemporaryDirectory(prefix='mlocksim-peers.') as folder:
        result = pathlib.Path(folder) / 'result.json'
        usage = _execute([program, *arguments, '--json', result], subprocess.DEVNULL)
        return Run(json.loads(result.read_text()), usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def run_peer(program, arguments):
    with tempfile.TemporaryFile('w+') as output:
        usage = _execute([program, *arguments], output)
        output.seek(0)
        return Run(json.load(output), usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


class Peers:
    """The programs: mlocksim, the peers in the folder where they were built, and mlocksim as it was before, if given."""

    def __init__(self, mlocksim, folder, before=None):
        self.mlocksim = mlocksim
        self.folder = pathlib.Path(folder)
        self.before = before

    def run(self, engine, model):
        """`engine`: mlocksim, heap, simgrid or simpy."""
        if engine == 'mlocksim':
            return run_mlocksim(self.mlocksim, model.mlocksim_arguments())
        if engine == 'simpy':
            return self._run_simpy(model)
        return run_peer(self.folder / f'peer_{engine}', model.peer_arguments())

    def _run_simpy(self, model):
        with tempfile.TemporaryDirectory(prefix='mlocksim-peers.') as folder:
            draws = pathlib.Path(folder) / 'draws'
            command = [self.folder / 'peer_draws', model.draws(), draws, *model.peer_arguments()]
            _execute(command, subprocess.DEVNULL)
            return run_peer(HERE / 'peer_simpy.py', [*model.peer_arguments(), '--draws', draws])


def _flat(tree, prefix=''):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f'{prefix}{key}.')
        else:
            yield prefix + key, value


def differences(peer, mlocksim):
    """One line for each value of `peer` that is not what `mlocksim` says, and for each that it should have."""
    ours = dict(_flat(mlocksim))
    theirs = {path: value for path, value in _flat(peer) if not path.startswith('engine.')}
    required = set(REQUIRED)
    if 'mapper' in mlocksim['classes']:
        required |= {path.replace('faulter', 'mapper') for path in REQUIRED}
    missing = (required & set(ours)) - set(theirs)  # a class without samples has no mean
    lines = [f'{path}: not printed by the peer' for path in sorted(missing)]
    for path, value in theirs.items():
        if path not in ours or ours[path] != value:
            lines.append(f'{path}: {value}, mlocksim: {ours.get(path, "nothing")}')
    return lines
