#!/usr/bin/python3
"""A report in a real browser: no request, no error in the console, a table that sorts, figures that show something; and
ten of its numbers, picked at random, against the store.

report_page_test.py MLOCKSIM            exit code 77: skipped, and why
"""
import html
import json
import math
import pathlib
import random
import re
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import zlib

STUDY = """schema: mlocksim/1
name: browser
scenario: unlock_question
policies: [write_held, downgrade, unlock_downgrade]
axes:
  region: {set: "processes[0].regions.heap.size", values: [4MiB, 8MiB]}
  faulters: {set: "processes[0].threads.faulter.count", values: [1, 3]}
replications: 3
measure: [max(faulter.munlock), p99(open_faulter)]
"""

SORT = """<script>addEventListener('load', () => {
  const table = document.querySelector('#table'), heads = [...table.tHead.rows].at(-1).cells;
  const column = [...heads].findIndex(head => head.dataset.measure);
  heads[column].querySelector('button').click();
  const values = () => [...table.tBodies[0].rows].map(row => Number(row.cells[column].dataset.v));
  const up = values(), order = heads[column].getAttribute('aria-sort');
  heads[column].querySelector('button').click();
  const result = {up, down: values(), order, wide: document.documentElement.scrollWidth > innerWidth};
  document.body.insertAdjacentHTML('beforeend', '<pre id="pro' + 'be">' + JSON.stringify(result) + '</pre>');
});</script>"""


PAPER = """<script>addEventListener('load', () => {
  const edges = (what) => [...document.querySelectorAll(what)].map(each => each.getBoundingClientRect().left +
    each.scrollWidth);
  const result = {tables: edges('table'), texts: edges('pre')};
  document.body.insertAdjacentHTML('beforeend', '<pre id="pro' + 'be">' + JSON.stringify(result) + '</pre>');
});</script>"""


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more)


def chromium(page, folder, *options):
    """The page's document after its scripts, and what the console said."""
    done = run('chromium', '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--mute-audio',
               f'--user-data-dir={folder}/profile', '--enable-logging=stderr', '--v=0',
               '--proxy-server=127.0.0.1:9',  # whatever asks the network fails
               '--virtual-time-budget=3000', *options, '--dump-dom', page.as_uri(), timeout=120)
    return done.stdout, [line for line in done.stderr.splitlines() if ':CONSOLE' in line or 'CONSOLE(' in line]


def check_no_request(text):
    asked = re.findall(r'<(?:script|img|link|iframe|use|image)\b[^>]*\b(?:src|href)=["\']?((?!#|data:)[^"\'> ]+)', text)
    assert not asked, asked
    assert '@import' not in text and 'url(http' not in text


def check_sorting(page, folder, width):
    probe_page = folder / f'probe{width}.html'
    probe_page.write_text(page.read_text().replace('</body>', SORT + '</body>'))
    document, console = chromium(probe_page, folder, f'--window-size={width},2000')
    assert not console, console
    assert '<h1' in document
    probe = json.loads(html.unescape(re.search(r'<pre id="probe">(.*?)</pre>', document, re.S).group(1)))
    assert probe['order'] == 'ascending' and len(probe['up']) > 3, probe
    assert probe['up'] == sorted(probe['up']) and probe['down'] == probe['up'][::-1], probe
    assert not probe['wide'], f'the page scrolls sideways at {width} px'


def check_paper(page, folder):
    """No table and no command is wider than the paper, which does not scroll: A4 upright without its margins."""
    width = 703
    probe_page = folder / 'paper.html'
    probe_page.write_text(page.read_text().replace('@media print', '@media all').replace('</body>', PAPER + '</body>'))
    document, console = chromium(probe_page, folder, f'--window-size={width},2000')
    assert not console, console
    probe = json.loads(html.unescape(re.search(r'<pre id="probe">(.*?)</pre>', document, re.S).group(1)))
    assert probe['tables'] and max(probe['tables'] + probe['texts']) <= width, probe


def pixels(file):
    """How many different rows of pixels a PNG of gnuplot's has: a blank one has one."""
    data, at, compressed = file.read_bytes(), 8, b''
    while at < len(data):
        length, kind = struct.unpack('>I4s', data[at:at + 8])
        if kind == b'IHDR':
            width, _, depth, colour = struct.unpack('>IIBB', data[at + 8:at + 18])
        if kind == b'IDAT':
            compressed += data[at + 8:at + 8 + length]
        at += 12 + length
    assert width == 1600 and depth == 8, (file, width, depth)
    row = 1 + width * {0: 1, 2: 3, 3: 1, 6: 4}[colour]
    raw = zlib.decompress(compressed)
    return len({raw[start:start + row] for start in range(0, len(raw), row)})


def check_figures(page, text):
    figures = sorted((page.parent / 'figures').glob('*.png'))
    assert len(figures) >= 5, figures
    for figure in figures:
        assert pixels(figure) > 50, f'{figure} is blank'
        assert figure.with_suffix('.svg').exists() and figure.with_suffix('.csv').exists(), figure
    assert text.count('<svg') >= len(figures)


def again(rows, statistic):
    """A number of the page from the rows that it says it is made of; nothing where only the direction can be told."""
    values = [row[0] for row in rows]
    mean = sum(values) / len(values)
    if statistic == 'mean':
        return mean
    if statistic == 'single':
        return values[0]
    if statistic == 'ratio':
        return math.exp(sum(math.log(row[-1] / row[-2]) for row in rows) / len(rows))
    return None


def check_numbers(text, store):
    connection = sqlite3.connect(f'file:{store}?mode=ro', uri=True)
    found = re.findall(r'<data value="([^"]*)" data-of="([^"]*)" data-sql="([^"]*)">', text)
    traced = [(float(value), of, html.unescape(query)) for value, of, query in found if of in ('mean', 'single', 'ratio')]
    cells = []
    measures = re.findall(r'data-measure="([^"]*)"', text)
    for point, policy, row in re.findall(r'<tr data-point=(\d+) data-policy="([^"]*)">(.*?)(?=<tr|</tbody>)', text, re.S):
        values = [float(value) for value in re.findall(r'<td data-v=([-0-9.e+]+)', row)]
        cells.append((int(point), html.unescape(policy), values, measures))
    assert traced and cells
    chosen = random.Random(6)
    for value, of, query in [chosen.choice(traced) for _ in range(10)]:
        expected = again(connection.execute(query).fetchall(), of)
        assert math.isclose(value, expected, rel_tol=1e-6), (value, of, expected, query)
    columns = {'max': 'max_ns', 'p99': 'p99_ns', 'mean': 'mean_ns'}
    for point, policy, values, _ in [chosen.choice(cells) for _ in range(10)]:
        statistic, name, phase = re.fullmatch(r'(\w+)\((\w+)(?:\.([\w.]+))?\)', html.unescape(measures[0])).groups()
        rows = connection.execute(
            f'SELECT avg({columns[statistic]}) FROM latency WHERE point=? AND policy=? AND class=? AND phase=?',
            (point, policy, name, phase or 'total')).fetchone()
        assert any(math.isclose(value, rows[0], rel_tol=1e-6) for value in values), (point, policy, values, rows)


def check_large(program, folder, small):
    """A study of 300 points: the small one's points, copied."""
    large = folder / 'large'
    large.mkdir()
    shutil.copy(small / 'study.sqlite', large / 'study.sqlite')
    connection = sqlite3.connect(large / 'study.sqlite')
    points = connection.execute('SELECT number, labels FROM point ORDER BY number').fetchall()
    runs = connection.execute('SELECT * FROM point_run').fetchall()
    of_column = [row[1] for row in connection.execute('PRAGMA table_info(point_run)')].index('point')
    for number in range(len(points), 300):
        source, labels = points[number % len(points)]
        values = json.loads(labels)
        values[-1] = str(number)
        connection.execute('INSERT INTO point(number, labels) VALUES (?, ?)', (number, json.dumps(values)))
        for row in runs:
            if row[of_column] == source:
                copied = [number if index == of_column else value for index, value in enumerate(row)]
                connection.execute(f'INSERT INTO point_run VALUES ({",".join("?" * len(copied))})', copied)
    connection.commit()
    connection.close()
    run(program, 'report', str(large))
    page = large / 'report.html'
    assert page.stat().st_size < 2_000_000, page.stat().st_size
    began = time.monotonic()
    document, console = chromium(page, folder)
    print(f'300 points: {page.stat().st_size / 1e6:.2f} MB, opened in {time.monotonic() - began:.1f} s with the browser')
    assert not console and document.count('<tr data-point') == 900


def main():
    for needed in ('chromium', 'gnuplot'):
        if not shutil.which(needed):
            print(f'{needed} is not installed')
            return 77
    program = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory(prefix='mlocksim-report.') as name:
        folder = pathlib.Path(name)
        (folder / 'study.yaml').write_text(STUDY)
        study = folder / 'study'
        run(program, 'sweep', str(folder / 'study.yaml'), '-o', str(study))
        run(program, 'report', str(study))
        page = study / 'report.html'
        text = page.read_text()
        check_no_request(text)
        check_figures(page, text)
        check_numbers(text, study / 'study.sqlite')
        for width in (1280, 500):  # headless chromium has no narrower window
            check_sorting(page, folder, width)
        check_paper(page, folder)
        check_large(program, folder, study)
    print('the page is whole')
    return 0


if __name__ == '__main__':
    sys.exit(main())
