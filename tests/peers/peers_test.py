#!/usr/bin/env python3
"""The same model in mlocksim, in a hand-written event heap, in SimGrid's actors and in SimPy: the same results.

So tools/bench compares like with like; and each peer, which has none of mlocksim's models and never looks ahead, checks
them to the nanosecond.

  peers_test.py MLOCKSIM FOLDER    # where the peers are; exit code 77: SimPy is not there, the others have been compared
"""
import sys

import peers

ENGINES = ('heap', 'simgrid', 'simpy')

MODELS = (
    peers.Model('write_held'),
    peers.Model('downgrade'),
    peers.Model('downgrade', mapper=True),
    peers.Model('write_held', mapper=True, seed=2),
    peers.Model('downgrade', pages=1000, faulters=20, seed=3),  # the last batch is a short one
    peers.Model('downgrade', pages=700, faulters=3, mapper=True, seed=4),
)


def main():
    programs = peers.Peers(sys.argv[1], sys.argv[2])
    failed = False
    missing = ''
    for model in MODELS:
        expected = programs.run('mlocksim', model).result
        for engine in ENGINES:
            try:
                different = peers.differences(programs.run(engine, model).result, expected)
            except peers.NotInstalled as reason:
                missing = str(reason)
                continue
            if different:
                failed = True
                print(f'{engine}, {model}:', *different, sep='\n    ')
    if failed:
        return 1
    if missing:
        print(missing)
        return peers.NOT_INSTALLED
    print(f'{len(MODELS)} models, {len(ENGINES)} peers: the same results')
    return 0


if __name__ == '__main__':
    sys.exit(main())
