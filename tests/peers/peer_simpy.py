#!/usr/bin/python3
"""The peer in SimPy 3 (Debian's python3-simpy3): a process for each thread, a timeout for each page and each step.

The model is that of peer_model.h, which says what the results depend on. Random numbers come from the file that
peer_draws writes with the same options: neither drawing nor reading them is part of the time that is measured.
"""
import argparse
import array
import collections
import json
import math
import sys
import time

try:
    import simpy
except ImportError:
    print('SimPy 3 is not installed (Debian: python3-simpy3)', file=sys.stderr)
    sys.exit(77)

# As in tests/peers/peers_with_mapper.yaml, in nanoseconds.
WAKE_UP_LATENCY = 5000
RWSEM_OPERATION = 30
RWSEM_WAKE = 1000
SYSTEM_CALL = 300
FIND_VMA = 100
LRU_ADD_DRAIN_ALL = 600
POPULATE_PAGE = 815
MLOCK_PAGE = 285
MUNLOCK_PAGE = 155
FAULT = 1310
MMAP = 5000
MUNMAP = 6000
MAPPER_THINK = 100000

PAGES_PER_BATCH = 16  # that get_user_pages takes at a time

READ, WRITE = 'read', 'write'
ABSENT, RESIDENT, MLOCKED = 0, 1, 2


class Step(simpy.events.Event):
    """A timeout. Of two at the same nanosecond that of the lower task comes first, not that which was made first."""

    def __init__(self, env, task, delay):
        self.env = env
        self.callbacks = []
        self._value = None
        self._ok = True
        env.schedule(self, simpy.events.NORMAL + task, delay)


class Samples:
    def __init__(self):
        self.count = 0
        self.sum = 0
        self.max = 0

    def record(self, value):
        self.count += 1
        self.sum += value
        if value > self.max:
            self.max = value

    def mean(self):
        return math.floor(self.sum / self.count + 0.5)

    def to_json(self):
        if self.count == 0:
            return {'count': 0}
        return {'count': self.count, 'mean_ns': self.mean(), 'max_ns': self.max}


class ClassRecord:
    def __init__(self):
        self.warm_up = 0
        self.latency = Samples()
        self.lock_wait = 0
        self.wake_up = 0

    def to_json(self):
        blame = {'lock_wait': self.lock_wait, 'wake_up': self.wake_up}
        return {'warm_up': self.warm_up, 'total': {**self.latency.to_json(), 'blame': blame}}


class Semaphore:
    """mmap_sem of Linux 2.6.28: one queue; a release lets in the writer at its head or the readers up to the first."""

    def __init__(self):
        self.queue = collections.deque()
        self.readers = 0
        self.writer = False
        self.acquisitions = {READ: 0, WRITE: 0}
        self.contended = {READ: 0, WRITE: 0}
        self.wait = {READ: Samples(), WRITE: Samples()}  # until it ran
        self.on_their_way = collections.deque()

    def down(self, thread, mode):
        """Takes it and returns True, or queues."""
        self.acquisitions[mode] += 1
        if self.queue or self.writer or (mode is WRITE and self.readers):
            self.contended[mode] += 1
            self.queue.append((thread, mode, thread.env.now))
            return False
        self.hold(mode)
        return True

    def up(self, mode, now):
        """Returns who is let in."""
        if mode is WRITE:
            self.writer = False
        else:
            self.readers -= 1
            if self.readers:
                return []
        if self.queue and self.queue[0][1] is WRITE:
            return [self.let_in(now)]
        return self.let_readers_in(now)

    def downgrade(self, now):
        self.writer = False
        self.readers = 1
        return self.let_readers_in(now)

    def let_readers_in(self, now):
        granted = []
        while self.queue and self.queue[0][1] is READ:
            granted.append(self.let_in(now))
        return granted

    def let_in(self, now):
        thread, mode, since = self.queue.popleft()
        self.hold(mode)
        thread.asked = mode, since
        thread.lock_wait = now - since
        thread.granted = now
        return thread

    def hold(self, mode):
        if mode is WRITE:
            self.writer = True
        else:
            self.readers += 1

    def note_woken(self, thread, runs):
        self.on_their_way.append((runs, *thread.asked))

    def count_waits(self, now):
        """Of those who ran before."""
        while self.on_their_way and self.on_their_way[0][0] < now:
            runs, mode, since = self.on_their_way.popleft()
            self.wait[mode].record(runs - since)

    def to_json(self):
        return {mode: {'acquisitions': self.acquisitions[mode], 'contended': self.contended[mode],
                       'wait': self.wait[mode].to_json()} for mode in (READ, WRITE)}


class Measurement:
    """Which requests count: see Measurement in peer_model.h."""

    def __init__(self, env, threads):
        self.env = env
        self.unserved_threads = threads
        self.warm_up_end = None
        self.end = None
        self.in_service = 0
        self.left = 0
        self.stopped = env.event()

    def end_warm_up(self):
        if self.warm_up_end is None:
            self.warm_up_end = self.env.now

    def first_served(self):
        self.unserved_threads -= 1
        if self.unserved_threads == 0:
            self.end_warm_up()

    def end_request(self, due):
        self.in_service -= 1
        if self.end is not None and due <= self.end:
            self.left -= 1
            if self.left == 0:
                self.stopped.succeed()

    def end_run(self):
        self.end = self.env.now
        self.left = self.in_service
        if self.left == 0:
            self.stopped.succeed()

    def in_warm_up(self, due):
        return self.warm_up_end is None or due < self.warm_up_end

    def counts(self, due):
        return not self.in_warm_up(due) and (self.end is None or due <= self.end)


class Model:
    def __init__(self, options):
        self.env = simpy.Environment()
        self.options = options
        self.drain = LRU_ADD_DRAIN_ALL * options.cpus
        self.pages = bytearray(options.pages)
        self.locked = False  # VM_LOCKED
        self.semaphore = Semaphore()
        self.measurement = Measurement(self.env, options.faulters + (1 if options.mapper else 0))
        self.calls = {'mlock': Samples(), 'munlock': Samples()}
        self.faulter = ClassRecord()
        self.mapper = ClassRecord()
        self.locks_at_end = None

    def results(self, wall):
        measurement = self.measurement
        classes = {'faulter': self.faulter.to_json()}
        if self.options.mapper:
            classes['mapper'] = self.mapper.to_json()
        return {
            'sim_time_ns': measurement.end,
            'warm_up_ns': min(measurement.end, measurement.warm_up_end),
            'cool_down_ns': self.env.now - measurement.end,
            'classes': classes,
            'locks': {'mmap_sem': self.locks_at_end},
            'syscalls': {name: {'calls': call.count, 'mean_ns': call.mean(), 'max_ns': call.max}
                         for name, call in self.calls.items()},
            'engine': {'events': next(self.env._eid), 'wall_ns': wall},
        }


class Thread:
    def __init__(self, model, task):
        self.model = model
        self.env = model.env
        self.task = task
        self.lock_wait = 0
        self.wake_up = 0
        self.asked = None  # how, and since when
        self.granted = 0
        self.woken = None

    def work(self, duration):
        return Step(self.env, self.task, duration)

    def down(self, mode, before, under):
        """After `before`; ends when it holds mmap_sem and has then worked for `under`."""
        yield self.work(before)
        self.woken = self.env.event()
        if not self.model.semaphore.down(self, mode):
            yield self.woken
            under += WAKE_UP_LATENCY
        yield self.work(under)

    def up(self, mode, before=0):
        yield self.work(before + RWSEM_OPERATION)
        yield from self.wake(self.model.semaphore.up(mode, self.env.now))

    def wake(self, granted):
        for thread in granted:
            yield self.work(RWSEM_WAKE)
            runs = self.env.now + WAKE_UP_LATENCY
            thread.wake_up = runs - thread.granted
            self.model.semaphore.count_waits(self.env.now)
            self.model.semaphore.note_woken(thread, runs)
            thread.woken.succeed()


class Competitor(Thread):
    def __init__(self, model, task, record):
        super().__init__(model, task)
        self.record = record
        self.served = False

    def run(self):
        measurement = self.model.measurement
        yield self.work(WAKE_UP_LATENCY)
        while True:
            think = self.think()
            if think:
                yield self.work(think + WAKE_UP_LATENCY)
            due = self.env.now
            measurement.in_service += 1
            self.lock_wait = self.wake_up = 0
            yield from self.serve()
            self.end_request(due)

    def end_request(self, due):
        measurement = self.model.measurement
        if measurement.in_warm_up(due):
            self.record.warm_up += 1
        if measurement.counts(due):
            self.record.latency.record(self.env.now - due)
            self.record.lock_wait += self.lock_wait
            self.record.wake_up += self.wake_up
        if not self.served:
            self.served = True
            measurement.first_served()
        measurement.end_request(due)


class Faulter(Competitor):
    def __init__(self, model, task, thinks, pages):
        super().__init__(model, task, model.faulter)
        self.thinks = iter(thinks)
        self.draws = iter(pages)

    def think(self):
        return next(self.thinks)

    def serve(self):
        page = next(self.draws)
        yield from self.down(READ, RWSEM_OPERATION, FAULT)
        pages = self.model.pages
        if pages[page] == ABSENT:
            pages[page] = MLOCKED if self.model.locked else RESIDENT
        yield from self.up(READ)


class Mapper(Competitor):
    def __init__(self, model, task):
        super().__init__(model, task, model.mapper)
        self.mapped = False

    def think(self):
        return MAPPER_THINK

    def serve(self):
        yield from self.down(WRITE, SYSTEM_CALL + RWSEM_OPERATION, MUNMAP if self.mapped else MMAP)
        self.mapped = not self.mapped
        yield from self.up(WRITE)


class Locker(Thread):
    def run(self):
        yield self.work(WAKE_UP_LATENCY)
        for name, call in (('mlock', self.mlock), ('munlock', self.munlock)):
            self.model.measurement.end_warm_up()
            began = self.env.now
            yield from call()
            self.model.calls[name].record(self.env.now - began)
        self.model.semaphore.count_waits(self.env.now)
        self.model.locks_at_end = self.model.semaphore.to_json()
        self.model.measurement.end_run()

    def mlock(self):
        model = self.model
        before = SYSTEM_CALL + RWSEM_OPERATION
        if model.options.policy == 'write_held':
            yield from self.down(WRITE, before, FIND_VMA + model.drain)
            model.locked = True
            yield from self.populate()
            yield from self.up(WRITE, model.drain)
            return
        yield from self.down(WRITE, before, FIND_VMA + RWSEM_OPERATION)
        model.locked = True
        yield from self.wake(model.semaphore.downgrade(self.env.now))
        yield self.work(model.drain)
        yield from self.populate()
        yield from self.up(READ, model.drain)
        yield from self.down(WRITE, RWSEM_OPERATION, FIND_VMA + RWSEM_OPERATION)
        yield from self.wake(model.semaphore.up(WRITE, self.env.now))

    def populate(self):
        pages = self.model.pages
        for batch in range(0, len(pages), PAGES_PER_BATCH):
            end = min(batch + PAGES_PER_BATCH, len(pages))
            page = pages.find(ABSENT, batch, end)
            while page >= 0:  # what is absent now is populated, even if a fault is faster meanwhile
                absent_end = page
                while absent_end < end and pages[absent_end] == ABSENT:
                    absent_end += 1
                for _ in range(page, absent_end):
                    yield self.work(POPULATE_PAGE)
                for each in range(page, absent_end):
                    if pages[each] == ABSENT:
                        pages[each] = MLOCKED
                page = pages.find(ABSENT, page, end)
            for page in range(batch, end):
                if pages[page] != MLOCKED:
                    yield self.work(MLOCK_PAGE)
                    pages[page] = MLOCKED

    def munlock(self):
        pages = self.model.pages
        yield from self.down(WRITE, SYSTEM_CALL + RWSEM_OPERATION, FIND_VMA + self.model.drain)
        for page in range(len(pages)):
            yield self.work(MUNLOCK_PAGE)
            pages[page] = RESIDENT
        yield from self.up(WRITE, self.model.drain)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--policy', choices=('write_held', 'downgrade'), default='write_held')
    parser.add_argument('--pages', type=int, default=2048)
    parser.add_argument('--faulters', type=int, default=8)
    parser.add_argument('--mapper', action='store_true')
    parser.add_argument('--cpus', type=int, default=16)
    parser.add_argument('--seed', type=int, help='not used: the draws are in the file')
    parser.add_argument('--draws', required=True, help='what peer_draws wrote')
    return parser.parse_args()


def read_draws(path, faulters):
    """Of each faulter its think times and its pages."""
    numbers = array.array('q')
    with open(path, 'rb') as file:
        numbers.frombytes(file.read())
    count = len(numbers) // (2 * faulters)
    pieces = [numbers[start:start + count].tolist() for start in range(0, 2 * faulters * count, count)]
    return list(zip(pieces[::2], pieces[1::2]))


def main():
    options = parse_options()
    model = Model(options)
    threads = [Locker(model, 0)]
    for thinks, pages in read_draws(options.draws, options.faulters):
        threads.append(Faulter(model, len(threads), thinks, pages))
    if options.mapper:
        threads.append(Mapper(model, len(threads)))
    for thread in threads:
        model.env.process(thread.run())
    began = time.perf_counter_ns()
    model.env.run(until=model.measurement.stopped)
    wall = time.perf_counter_ns() - began
    print(json.dumps(model.results(wall), indent=2))


if __name__ == '__main__':
    main()
