"""What tools/validation and tools/unlock-witness have in common: the results of real kernels in docs/validation, each beside
the same simulated, and how figures are written in tables."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get('MLOCKSIM', str(ROOT / 'build/experiments/mlocksim'))
FOLDER = ROOT / 'docs/validation'


def run(*words):
    """The program's output. Ends with what it has to say where it fails."""
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        sys.exit(f'{pathlib.Path(sys.argv[0]).name}: mlocksim {" ".join(map(str, words))}: {done.stderr.strip()}')
    return done.stdout


def set_options(sets):
    return [word for each in sets for word in ('--set', each)]


def folders(pattern, wanted=lambda folder: True):
    """The kernels' folders, the newest release first."""
    found = (each for each in FOLDER.glob(pattern) if each.is_dir() and wanted(each))
    return sorted(found, key=lambda each: [int(part) for part in re.findall(r'\d+', each.name)], reverse=True)


def compared(folder):
    """{name: validation} of a kernel's folder."""
    machine = FOLDER / f'{folder.name}.machine.yaml'
    results = {}
    for name, what in json.loads((folder / 'sets.json').read_text()).items():
        real = folder / f'{name}.json'
        if not real.exists():
            continue
        with tempfile.TemporaryDirectory() as temporary:
            output = pathlib.Path(temporary) / 'validation.json'
            run('validate', what['scenario'], '--machine', machine, *set_options(what['sets']), '--real', real,
                '--json', output)
            results[name] = json.loads(output.read_text())
    return results


def human(nanoseconds):
    if nanoseconds is None:
        return '-'
    for unit, size in (('s', 1e9), ('ms', 1e6), ('us', 1e3)):
        if nanoseconds >= size:
            return f'{nanoseconds / size:.3g} {unit}'
    return f'{nanoseconds:.0f} ns'


def held_up(wait):
    """How much of a call's time a class waited, real and simulated."""
    differs = '' if wait['agrees'] else ' **differs**'
    return f"{wait['real']:.2f} / {wait['simulated']:.2f}{differs}"
