#!/usr/bin/python3
"""That no draw depends on the compiler, on how it optimises, on assertions, on fused multiply-adds, or on which of its
variants of exp() and log() the C library takes: sim/distribution.cpp is compiled in several ways and gives the same each
time. Nothing else that decides an event has to do with floating point.

same_draws_test.py [COMPILER...]   by default those of g++, clang++ and aarch64-linux-gnu-g++ that are there
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
FILES = ['tests/whole/same_draws.cpp', 'sim/distribution.cpp', 'sim/random.cpp']
WAYS = {
    'g++': [['-O0'], ['-O3', '-DNDEBUG'], ['-O3', '-DNDEBUG', '-march=x86-64-v3']],
    'clang++': [['-O3', '-DNDEBUG']],
    'aarch64-linux-gnu-g++': [['-O2', '-static']],
}
RUNNERS = {'aarch64-linux-gnu-g++': ['qemu-aarch64-static']}
# As on a CPU from before 2013.
NO_FMA = {**os.environ, 'GLIBC_TUNABLES': 'glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4'}


def compiled(compiler, way, folder):
    # As meson.build has it: a fused multiply-add rounds once.
    program = pathlib.Path(folder, compiler + ''.join(way))
    command = [compiler, '-std=c++20', '-ffp-contract=off', *way, f'-I{SOURCE}', *FILES, '-o', program]
    subprocess.run(command, cwd=SOURCE, check=True)
    return program


def draws(compiler, way, folder):
    """By how it was made: what the program prints."""
    command = [*RUNNERS.get(compiler, []), compiled(compiler, way, folder)]
    environments = {'': os.environ}
    if compiler not in RUNNERS:
        environments[', no FMA'] = NO_FMA
    name = ' '.join([compiler, *way])
    return {name + more: subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
            for more, environment in environments.items()}


def is_there(compiler):
    return all(shutil.which(program) for program in [compiler, *RUNNERS.get(compiler, [])])


def main():
    wanted = sys.argv[1:] or [compiler for compiler in WAYS if is_there(compiler)]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for compiler in wanted:
            for way in WAYS[compiler]:
                found.update(draws(compiler, way, folder))
    same = set(found.values())
    for way, text in found.items():
        print(way + ':', text, sep='\n')
    if len(same) != 1:
        sys.exit('the draws differ')


if __name__ == '__main__':
    main()
