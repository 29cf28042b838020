#!/usr/bin/python3
"""The tutorial's commands, run one after another in an empty folder as a reader would, and what each prints against what
the tutorial prints.

tutorial_test.py MLOCKSIM [DOCUMENT]

In an indented block a line `$ COMMAND` is run by bash; `\\` at its end and here-documents go on in the next lines. What
follows is what it prints, both streams; a line `[...]` stands for any number of lines.
"""
import difflib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LEFT_OUT = '[...]'


def blocks_of(text):
    """The indented blocks, without their indentation, with the number of their first lines."""
    block = []
    for number, line in enumerate(text.splitlines() + ['']):
        if line.startswith('    ') or (not line and block):
            block.append(line[4:])
        elif block:
            yield number - len(block) + 1, block
            block = []


def steps_of(text):
    """(line, command, expected lines) of each command."""
    for first, block in blocks_of(text):
        while block and not block[-1]:
            block.pop()
        at = 0
        while at < len(block):
            if not block[at].startswith('$ '):
                at += 1
                continue
            line, command = first + at, [block[at][2:]]
            at += 1
            end = re.search(r"<<'(\w+)'", command[0])
            while at < len(block) and (command[-1].endswith('\\') or (end and command[-1] != end[1])):
                command.append(block[at])
                at += 1
            expected = []
            while at < len(block) and not block[at].startswith('$ '):
                expected.append(block[at].rstrip())
                at += 1
            yield line, '\n'.join(command), expected


def agrees(expected, printed):
    pattern = ''.join('(?:.*\n)*' if line == LEFT_OUT else re.escape(line) + '\n' for line in expected)
    return re.fullmatch(pattern, ''.join(line + '\n' for line in printed)) is not None


def main():
    mlocksim = pathlib.Path(sys.argv[1]).resolve()
    source = pathlib.Path(__file__).resolve().parents[2]
    document = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else source / 'docs/tutorial.md'
    if shutil.which('gnuplot') is None:
        print('there is no gnuplot')
        sys.exit(77)
    failed = 0
    with tempfile.TemporaryDirectory(prefix='mlocksim_tutorial.', dir=os.environ.get('TEST_TMPDIR')) as folder:
        programs = pathlib.Path(folder) / 'bin'
        programs.mkdir()
        (programs / 'mlocksim').symlink_to(mlocksim)
        work = pathlib.Path(folder) / 'work'
        work.mkdir()
        environment = {**os.environ, 'PATH': f"{programs}:{os.environ['PATH']}", 'COLUMNS': '80',
                       'MLOCKSIM_CONFIGS': str(source / 'configs'), 'DOCS': str(source / 'docs'), 'LC_ALL': 'C.UTF-8'}
        steps = list(steps_of(document.read_text()))
        assert len(steps) >= 10, f'{document} has {len(steps)} commands'
        for line, command, expected in steps:
            done = subprocess.run(['bash', '-c', command], cwd=work, env=environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
            printed = [each.rstrip() for each in done.stdout.splitlines()]
            if agrees(expected, printed):
                continue
            failed += 1
            print(f'{document}:{line}: $ {command}')
            print('\n'.join(difflib.unified_diff(expected, printed, 'in the tutorial', 'printed', lineterm='', n=1)))
    print(f'{len(steps)} commands, {failed} of them print something else')
    sys.exit(1 if failed else 0)


main()
