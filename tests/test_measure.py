"What 90_measure.ipynb can't say of itself: other folders, other locales, no standard error, and memory against a sum."
import json
import os
import random
import subprocess
import sys

import pytest
import torch

from fastlesson import measure as m


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    "No test reads or writes the records of whoever runs it."
    monkeypatch.setenv('FASTLESSON_RECORDS', str(tmp_path/'records'))


def test_shipped():
    "The records of the package are found from any folder, and nothing but records lies there."
    assert {p.suffix for p in m.SHIPPED.iterdir()} - {'.svg'} == {'.json'}
    assert [r['rows'] for r in m.recorded('ladder')]


def test_any_folder_any_locale(tmp_path):
    "Written and read as UTF-8 where Python would take another encoding, from a folder that knows nothing of the package."
    script = r"""
import locale
from fastlesson.measure import record, recorded
assert locale.getpreferredencoding(False).upper() not in ('UTF-8', 'UTF8'), 'this test tests nothing'
assert any(row['size'] == '5\u00d7784 @ 784\u00d710' for row in recorded('ladder')[0]['rows'])
record('made-up', [{'size': '5\u00d7784'}])
assert recorded('made-up')[0]['rows'] == [{'size': '5\u00d7784'}]
"""
    env = os.environ | {'LANG': 'C', 'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'}
    ran = subprocess.run([sys.executable, '-c', script], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert '"5×784"' in m.record_file().read_text(encoding='utf-8')


def test_folder_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('FASTLESSON_RECORDS', '~/here')
    assert m.records_folder() == tmp_path/'here'
    assert m.record_file('~/there').parent == tmp_path/'there'
    monkeypatch.delenv('FASTLESSON_RECORDS')
    for name in ('XDG_DATA_HOME', 'LOCALAPPDATA'): monkeypatch.delenv(name, raising=False)
    assert tmp_path in m.records_folder().parents and 'fastlesson' in m.records_folder().parts
    assert not m.records_folder().exists(), 'looking makes nothing'
    assert m.record('made-up', []) == m.record_file() and m.recorded('made-up')


def test_order(tmp_path, monkeypatch):
    "Shipped first, whatever the names; one's own by name; a folder named twice is read once."
    shipped = m.recorded('ladder')
    other = json.loads(m.record('ladder', [{'size': 'mine'}]).read_text(encoding='utf-8'))
    for name in 'b', 'a', 'c':
        (m.records_folder()/f'{name}.json').write_text(json.dumps(other | {'machine': {'name': name}}), encoding='utf-8')
    m.record_file().unlink()
    found = m.recorded('ladder')
    assert found[:len(shipped)] == shipped and [r['machine']['name'] for r in found[len(shipped):]] == ['a', 'b', 'c']
    monkeypatch.setenv('FASTLESSON_RECORDS', str(m.SHIPPED))
    assert m.recorded('ladder') == shipped


def test_unfinished_is_no_record():
    m.record('made-up' + m.UNFINISHED, [{'seconds': 1.}])
    with pytest.raises(FileNotFoundError, match='made-up'): m.recorded('made-up')
    m.record('made-up', [{'seconds': 2.}])
    assert [*m.read_records()[-1]] == ['machine', 'made-up']


@pytest.mark.parametrize('text', ['', '{', '[]', '3', 'null', '"text"', '{}', '{"machine": {}}', '{"machine": "m"}',
                                  '{"machine": {"name": "m"}, "b": []}', '{"machine": {"name": "m"}, "b": {"rows": 1}}',
                                  '{"machine": {"name": "m"}, "b": {"rows": ["r"]}}', b'\xff\xfe{', b'{"machine": {"name": "\xe9"}}'])
def test_foreign(text):
    "What is no record is named when it is read, and is never overwritten."
    path = m.record_file()
    path.parent.mkdir()
    content = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(content)
    for look in m.read_records, lambda: m.recorded('ladder'), lambda: m.record('made-up', []):
        with pytest.raises(ValueError, match=f'{path.name} is not a record'): look()
    assert path.read_bytes() == content


@pytest.mark.parametrize('seed', range(5))
def test_peak_memory(seed):
    "The peak is the largest sum of what is held at once, in any order of taking and giving back."
    draw, kept = random.Random(seed), []
    steps = [draw.randint(1, 50_000) if draw.random() < .6 else None for _ in range(40)]   # a size to take, or None: give one back
    def run():
        for size in steps:
            if size: kept.append(torch.empty(size))
            elif kept: kept.pop(0)
    peak, sizes = 0, []
    for size in steps:
        if size: sizes.append(4 * size)
        elif sizes: sizes.pop(0)
        peak = max(peak, sum(sizes))
    assert m.peak_memory(run) == peak


def test_without_standard_error(monkeypatch):
    "As under pythonw: no progress bar, but times."
    monkeypatch.setattr(sys, 'stderr', None)
    assert m.measure({'a': int}, seconds=.001, rounds=1)['a'].median > 0


def test_bars():
    "They say nothing of widgets in a notebook that has none, and nothing at all where tqdm is told so."
    script = r"""
import sys, types, warnings
import IPython
sys.modules |= {'ipykernel.zmqshell': types.ModuleType('zmqshell'), 'ipywidgets': None}   # a kernel, without widgets
with warnings.catch_warnings(record=True) as seen:
    from fastlesson import bench, data, train
print([str(w.message) for w in seen if 'IProgress' in str(w.message)])
bench.measure({'a': int}, seconds=.001, rounds=1)
import torch
from fastlesson.layers import Linear, Model
x, y = torch.ones(4, 2), torch.zeros(4, dtype=torch.int64)
train.fit(Model([Linear(torch.zeros(2, 3), torch.zeros(3))], train.CrossEntropy()), x, y, x, y, epochs=1)"""
    done = subprocess.run([sys.executable, '-c', script], env=os.environ | {'TQDM_DISABLE': '1'}, capture_output=True, encoding='utf-8')
    assert (done.returncode, done.stdout, done.stderr) == (0, '[]\n', '')


def test_threads():
    "Measured with the threads that were asked for, and afterwards there are as many as before."
    before = torch.get_num_threads()
    seen = set()
    m.measure({'a': lambda: seen.add(torch.get_num_threads())}, seconds=.001, rounds=2, threads=1)
    assert seen == {1} and torch.get_num_threads() == before


def test_no_accelerator(monkeypatch):
    "A torch that was built for an accelerator, on a machine without one."
    def absent(): raise RuntimeError('Cannot access accelerator device when none is available.')
    monkeypatch.setattr(torch.accelerator, 'is_available', lambda: False)
    monkeypatch.setattr(torch.accelerator, 'current_accelerator', absent)
    assert m.machine()['gpu'] is None


@pytest.mark.parametrize('kind', ['mps', 'xpu'])
def test_accelerators_without_a_name(monkeypatch, kind):
    "All of Apple's GPUs are called mps: the processor tells the machines apart."
    monkeypatch.setattr(torch.accelerator, 'is_available', lambda: True)
    monkeypatch.setattr(torch.accelerator, 'current_accelerator', lambda: torch.device(kind))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    found = m.machine()
    assert found['gpu'] == kind and found['name'].startswith(found['cpu']) and found['name'].endswith(f', {kind}')
