#!/usr/bin/python3
"""What the program writes as JSON and CSV, against the tables of docs/outputs.md: every key that is written stands there,
and every key that stands there is written, those apart that are there only at times.

outputs_test.py MLOCKSIM
"""
import csv
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]

SMALL = ['--set', 'processes[0].regions.heap.size=4MiB', '--set', 'expect=[max(ps) < 1s]']

STUDY = """schema: mlocksim/1
name: outputs
scenario: unlock_question
policies: [downgrade, unlock_downgrade]
axes: {region: {set: "processes[0].regions.heap.size", values: [4MiB, 8MiB]}}
replications: 2
measure: max(faulter.munlock)
"""


def tables():
    """By section: (key, what it holds, whether it may be missing)."""
    sections = {}
    section = None
    for line in (SOURCE / 'docs/outputs.md').read_text().splitlines():
        title = re.fullmatch(r'### `(.+)`', line)
        if title:
            section = sections.setdefault(title[1], [])
        elif line.startswith('#'):
            section = None
        row = re.match(r'\| `([^`]+)` \| ([^|]*) \|', line)
        if row and section is not None:
            kind = row[2].strip()
            section.append((row[1], kind.removesuffix('maybe').strip().strip('`'), kind.endswith('maybe')))
    sections['compared run'] = [row for row in sections['run'] if not re.match(r'machine|expectations', row[0])]
    sections['import'] = sections['compared run'] + sections['import']
    return sections


def keys_of(sections, section, prefix='', maybe=False):
    """All keys of a section down to plain values, with whether they may be missing."""
    for key, kind, at_times in sections[section]:
        path = f'{prefix}.{key}' if prefix else key
        if kind in sections:
            yield from keys_of(sections, kind, path, maybe or at_times)
        else:
            yield path, maybe or at_times


def paths_in(value, path=''):
    """The paths of all plain values, and of what is empty."""
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from paths_in(each, f'{path}.{key}' if path else key)
    elif isinstance(value, list) and value:
        for each in value:
            yield from paths_in(each, path + '[]')
    else:
        yield path, value in ({}, []) or value is None


def pattern_of(key):
    return re.compile(''.join('.+' if part == '*' else re.escape(part) for part in re.split(r'(\*)', key)))


def check(sections, section, value, seen):
    keys = [(key, pattern_of(key)) for key, _ in keys_of(sections, section)]
    unknown = set()
    known = {}
    for path, empty in paths_in(value):
        if path not in known:
            found = [key for key, pattern in keys if pattern.fullmatch(path)]
            if not found and empty:  # a list or map of nothing, or null in its place
                found = [key for key, _ in keys
                         if any(pattern_of(key[:end.start()]).fullmatch(path) for end in re.finditer(r'[.\[]|$', key))]
                seen.setdefault(section, set()).update(found)
                continue
            known[path] = found
            if not found:
                unknown.add(path)
        seen.setdefault(section, set()).update(known[path])
    return [f'{section}: {path} is written and not in docs/outputs.md' for path in sorted(unknown)]


def main():
    mlocksim = os.path.abspath(sys.argv[1])
    sections = tables()
    environment = {**os.environ, 'MLOCKSIM_CONFIGS': str(SOURCE / 'configs')}
    mistakes = []
    seen = {}
    with tempfile.TemporaryDirectory(prefix='mlocksim_outputs.', dir=os.environ.get('TEST_TMPDIR')) as folder:
        def run(*words):
            subprocess.run([mlocksim, *words], check=True, capture_output=True, cwd=folder, env=environment, timeout=240)

        def written(name):
            return json.loads((pathlib.Path(folder) / name).read_text())

        run('run', 'with_writer', *SMALL, '--json', 'run.json')
        mistakes += check(sections, 'run', written('run.json'), seen)
        run('compare', 'unlock_question', *SMALL, '--json', 'compare.json')
        mistakes += check(sections, 'compare', written('compare.json'), seen)
        trace = SOURCE / 'tests/experiments/host/trace/linux-6.12-ftrace.txt'
        run('import', str(trace), '--json', 'import.json', '-o', 'replay', '--holds')
        mistakes += check(sections, 'import', written('import.json'), seen)
        run('explain', 'replay/scenario.yaml', '--reps', '1', '--json', 'explain.json')
        mistakes += check(sections, 'explain', written('explain.json'), seen)
        attached = SOURCE / 'tests/fuzz/corpus/table'
        table_of = [f'--table-of={of}' for of in ('@write_us=wait.write', '@read_ns[load]=faulter')]
        for table, options in ('klockstat', ['--table-length=3s']), ('bpftrace_maps', table_of):
            run('validate', 'with_writer', *SMALL, '--sittings', '1', '--table', str(attached / table), *options, '--json',
                'table.json')
            mistakes += check(sections, 'validate --table', written('table.json'), seen)
        (pathlib.Path(folder) / 'study.yaml').write_text(STUDY)
        run('sweep', 'study.yaml', '-o', 'out')
        run('results', 'out', '--json', 'results.json', '--csv', 'results.csv')
        mistakes += check(sections, 'results', written('results.json'), seen)
        with open(pathlib.Path(folder) / 'results.csv', newline='', encoding='utf-8') as file:
            columns = next(csv.reader(file))
    text = (SOURCE / 'docs/outputs.md').read_text().split('### `csv`')[1].split('\n## ')[0]
    named = [name for name in re.findall(r'`(\w+)`', text) if name not in ('total', 'done', 'out_of_memory', 'failed')]
    if columns != ['point', 'region', *named[1:]]:
        mistakes.append(f'csv: the columns are {columns}')
    for section, keys in seen.items():
        for key, maybe in keys_of(sections, section):
            if key not in keys and not maybe:
                mistakes.append(f'{section}: {key} is in docs/outputs.md and not written')
    print('\n'.join(mistakes) or f'{sum(len(keys) for keys in seen.values())} keys are as docs/outputs.md says')
    sys.exit(1 if mistakes else 0)


main()
