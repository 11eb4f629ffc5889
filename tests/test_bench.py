"What 94_bench.ipynb can't say of itself: the command as a process, on machines that lack something, and the small ends of the benchmarks."
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastlesson import __version__, bench, bench_products
from fastlesson.measure import UNFINISHED, machine, record, recorded

COMMAND = Path(sys.executable).parent/'fastlesson-bench'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv('FASTLESSON_RECORDS', str(tmp_path/'records'))
    return tmp_path/'records'


def test_command(tmp_path):
    "The installed command, from any folder."
    ran = subprocess.run([COMMAND, '--version'], cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, f'fastlesson {__version__}\n'), ran.stderr


@pytest.mark.parametrize('option', ['--help', '--list'])
def test_names(option, capsys):
    try: bench.main([option])
    except SystemExit as e: assert not e.code
    said = capsys.readouterr().out
    for name, fn in bench.BENCHMARKS.items(): assert re.search(rf'^  {name} +{re.escape(fn.__doc__)}', said, re.M)


def test_ctrl_c(tmp_path):
    "Ctrl-C in the middle of a benchmark: what there is of it is kept."
    script = """
import signal, time
from fastlesson import bench
signal.signal(signal.SIGINT, signal.default_int_handler)   # what was started in the background ignores it
def slow():
    yield {'seconds': 1.}
    print('measuring', flush=True)
    time.sleep(60)
bench.BENCHMARKS['slow'] = slow
bench.main(['--only', 'slow'])
"""
    process = subprocess.Popen([sys.executable, '-c', script], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == 'measuring\n', process.stderr.read()
    process.send_signal(signal.SIGINT)
    said, complaint = process.communicate(timeout=60)
    assert process.returncode == 130 and 'Interrupted. What was measured of slow is in' in said and 'Traceback' not in complaint
    assert recorded('slow' + UNFINISHED)[0]['rows'] == [{'seconds': 1.}]


def test_error(monkeypatch, capsys):
    "A benchmark that breaks says why, what there is of it is kept, and the next ones have their turn."
    def breaks():
        yield {'seconds': 1.}
        raise RuntimeError('out of memory')
    monkeypatch.setitem(bench.BENCHMARKS, 'made-up', breaks)
    monkeypatch.setitem(bench.BENCHMARKS, 'next', lambda: iter([{'seconds': 2.}]))
    with pytest.raises(SystemExit, match='These failed:\n  made-up +RuntimeError: out of memory'): bench.main(['--only', 'made-up,next'])
    assert recorded('made-up' + UNFINISHED)[0]['rows'] == [{'seconds': 1.}] and recorded('next')[0]['rows'] == [{'seconds': 2.}]
    said = capsys.readouterr().out
    assert 'in breaks' in said and 'Failed. What was measured of made-up is in' in said


@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid() == 0, reason='root may write anywhere')
def test_folder_not_writable(tmp_path, capsys):
    tmp_path.chmod(0o500)
    with pytest.raises(SystemExit): bench.main(['--folder', str(tmp_path/'new'), '--only', 'ladder'])
    assert "can't be written to" in capsys.readouterr().err


@pytest.mark.parametrize('rows', ['[{"size": "5×5", "rung": "x", "threads": 1}]', '[{"size": [], "rung": "x", "threads": 1, "seconds": 1}]'], ids=['no-seconds', 'list'])
def test_foreign_records_are_met_before_the_measuring(tmp_path, capsys, rows):
    (tmp_path/'other.json').write_text('{"machine": {"name": "other"}, "limit": {"rows": %s}}' % rows, encoding='utf-8')
    with pytest.raises(SystemExit): bench.main(['--folder', str(tmp_path), '--only', 'ladder'])
    assert 'name another folder with --folder' in capsys.readouterr().err


def test_folder_in_home(tmp_path, monkeypatch, capsys):
    "`--folder=~/x`, which no shell expands."
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setitem(bench.BENCHMARKS, 'made-up', lambda: iter([{'seconds': 1.}]))
    bench.main(['--folder=~/mine', '--only=made-up'])
    assert recorded('made-up', tmp_path/'mine') and not (Path.cwd()/'~').exists()


def test_accelerator(monkeypatch, capsys):
    "Where tensors go to an accelerator, what measures the processor is left out, and asking for it says why."
    monkeypatch.setattr(bench, 'default_device', lambda: SimpleNamespace(type='mps'))
    assert {'limit', 'fused'} <= bench.left_out().keys()
    with pytest.raises(SystemExit): bench.main(['--only', 'fused'])
    assert 'FASTLESSON_DEVICE=cpu' in capsys.readouterr().err


def test_without_extras(tmp_path):
    "Without the extras the command leaves something out, and names the extra."
    script = """
import sys
sys.modules |= {'numba': None, 'matplotlib': None}
from fastlesson import bench
bench.BENCHMARKS['made-up'] = lambda: iter([{'seconds': 1.}])
print(bench.left_out(), file=sys.stderr)
bench.main(['--only', 'made-up'])
"""
    ran = subprocess.run([sys.executable, '-c', script], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    for needs in ran.stderr, ran.stdout: assert "pip install 'fastlesson[notebooks]'" in needs
    assert 'No picture' in ran.stdout and recorded('made-up')


def test_small_ends(monkeypatch):
    "The benchmarks run what the lessons offer today, and each version gives a row."
    def once(fns, **_):
        for fn in fns.values(): fn()
        return dict.fromkeys(fns, SimpleNamespace(median=1., iqr=0.))
    for module in bench, bench_products: monkeypatch.setattr(module, 'measure', once)
    n = len(bench_products.thread_counts())
    assert [r['version'] for r in bench.training_epoch(130)] == ['PyTorch', 'ours'] * n
    assert [r['version'] for r in bench.backward_passes((7,))] == ['autograd', 'ours']
    assert [r['rung'] for r in bench.init_monte_carlo(2)] == ['a loop over draws', 'side by side'] * n
    rows = [*bench_products.libraries(32)]
    assert [r['rung'] for r in rows if 'flops' in r] == ['peak'] * n
    for size in '32×32 @ 32×32', '50000×784 @ 784×10': assert {'@', 'numpy', '@ in bfloat16', 'tiled'} <= {r['rung'] for r in rows if r.get('size') == size}
    assert [r['rung'] for r in bench_products.ladder()] == [*bench_products.LADDER], 'at a second each, the larger sizes are left out'


def test_side_by_side():
    "One's own record stands for the machine, also where the package has one of the same name."
    name, row = machine()['name'], {'size': '5×784 @ 784×10', 'rung': 'torch', 'threads': 1, 'seconds': 42.}
    shipped = bench.side_by_side()
    record('ladder', [row])
    rows = {(r['size'], r['rung'], r['threads']): r for r in bench.side_by_side()}
    assert len(rows) == len(shipped)
    assert rows[row['size'], 'torch', 1][name] == 42.
