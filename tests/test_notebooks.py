"Every notebook runs by itself, on every data set at hand, and prints what is stored in it."
import builtins
import dis
import inspect
import json
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from datetime import date
from importlib import import_module
from pathlib import Path

import pytest
import torch
from execnb.nbio import mk_cell, nb2str, new_nb, read_nb, write_nb
from execnb.shell import CaptureShell
from fastcore.xtras import working_directory
from nbdev.clean import clean_nb
from nbdev.config import get_config
from nbdev.process import NBProcessor
from torch.utils.benchmark import Timer

from pretend import THERE, pretended

CFG = get_config()
NOTEBOOKS = sorted(CFG.nbs_path.glob('*.ipynb'))
NUMBER = re.compile(r'(-?\d+\.\d+(?:e[+-]\d+)?)')


def run(path, skip_flags, folder, around=nullcontext):
    "Run a notebook in `folder`, each cell in the context `around`; cells that carry a flag of `skip_flags` keep their outputs."
    flags = [c.directives_ for c in NBProcessor(path).nb.cells]
    nb, shell, at = read_nb(path), CaptureShell(path), {}
    def skipped(cell):
        at['cell'], directives = cell, flags[nb.cells.index(cell)]
        return skip_flags & directives.keys() or directives.get('eval:') == ['false']
    def in_context(cell, **options):
        measures = re.search(r'profiler|\bmeasure\(', cell.source)   # what comes between would be measured, too
        with nullcontext() if measures else around(): return CaptureShell.cell(shell, cell, **options)
    shell.cell = in_context
    for cell in nb.cells:   # execnb leaves what is stored where a cell prints nothing
        if cell.cell_type == 'code' and not skipped(cell): cell.outputs = []
    try:
        with working_directory(folder): shell.run_all(nb, exc_stop=True, preproc=skipped)
    except Exception: pytest.fail(f"{path.name}, cell '{at['cell'].id}':\n{at['cell'].source}\n{shell.prettytb(path.name)}", pytrace=False)
    finally:   # IPython keeps every shell, and with it a data set
        for name in [*shell.user_ns]:
            if name[0] != '_': del shell.user_ns[name]
    for cell in nb.cells:   # progress bars and warnings are for whoever runs it
        if 'outputs' in cell: cell.outputs = [o for o in cell.outputs if o.get('name') != 'stderr']
    clean_nb(nb, allowed_metadata_keys=CFG.allowed_metadata_keys.split(), allowed_cell_metadata_keys=CFG.allowed_cell_metadata_keys.split())
    return nb, [(cell, d) for cell, d in zip(nb.cells, flags) if cell.cell_type == 'code' and not skipped(cell)]


def printed(cell, pictures=False):
    "What a cell shows: its text, and of pictures only that there is one."
    def text(o): return ''.join(o) if isinstance(o, list) else o
    return [text(o.text) if 'text' in o else {k: text(v) if pictures or k.startswith('text/') else '' for k, v in sorted(o.data.items())}
            for o in cell.outputs]


def same(a, b):
    "Equal texts, but for decimal numbers that differ by one in their last digit or by float32's rounding: other processors round otherwise."
    a, b = NUMBER.split(str(a)), NUMBER.split(str(b))
    def close(x, y):
        digits = len(re.sub(r'e.*', '', x).split('.')[1])
        exponent = int(x.split('e')[1]) if 'e' in x else 0
        return abs(float(x) - float(y)) <= max(1.01 * 10.**(exponent - digits), 1e-6 * abs(float(x)))
    return len(a) == len(b) and a[::2] == b[::2] and all(map(close, a[1::2], b[1::2]))


def alike(a, b):
    "Equal texts, but for their numbers."
    a, b = (re.sub(r'[\d.,]+|e[+-]\d+|\s+', ' ', str(t)).split() for t in (a, b))
    return a == b


def undefined(nb):
    "Names that the functions of a notebook's module use, and that it has not."
    found = re.search(r'^#\| *default_exp (.*)', '\n'.join(cell.source for cell in nb.cells), re.M)
    if not found: return set()
    module = vars(import_module(f'fastlesson.{found[1]}'))
    def used(code):
        for step in dis.get_instructions(code):
            if step.opname == 'LOAD_GLOBAL': yield step.argval
        for inner in code.co_consts:
            if inspect.iscode(inner): yield from used(inner)
    return {*used(compile(Path(module['__file__']).read_text(encoding='utf-8'), found[1], 'exec'))} - {*module, *dir(builtins)}


def committed(path):
    "The sources of a notebook's code cells as they were last committed, by id."
    shown = subprocess.run(['git', 'show', f'HEAD:./{path.name}'], cwd=path.parent, capture_output=True, encoding='utf-8')
    cells = json.loads(shown.stdout)['cells'] if shown.returncode == 0 else []
    return {c['id']: ''.join(c['source']) for c in cells if c['cell_type'] == 'code'}


def store(nb, ran, path, device):
    "Write the outputs of a run into the notebook; those that say nothing new, and those that vary, stay as they were."
    stored, before = read_nb(path), committed(path)
    old = {c.id: c for c in stored.cells if c.cell_type == 'code'}
    new = {c.id: c.source for c in nb.cells if c.cell_type == 'code'} != before
    for cell, directives in ran:
        was = old[cell.id]
        like = alike if 'varies' in directives else same
        kept = was.outputs and before.get(cell.id) == cell.source and like(printed(cell, True), printed(was, True))
        if kept: cell.outputs = was.outputs
        else: new |= cell.outputs != was.outputs
    checked = {'data': 'MNIST', 'device': str(device), 'torch': torch.__version__, 'date': str(date.today())}
    nb.metadata['checked'] = checked if new or 'checked' not in stored.metadata else stored.metadata['checked']
    write_nb(nb, path)


def pytest_generate_tests(metafunc):
    "What loads data runs on the digits too, as if they were on another device; the rest runs once."
    if 'path' not in metafunc.fixturenames: return
    datasets = metafunc.config.datasets
    loading = [path for path in NOTEBOOKS if 'load_data' in path.read_text(encoding='utf-8')]
    runs = [(path, 'digits', True) for path in loading] + [(path, datasets[-1], False) for path in NOTEBOOKS]
    metafunc.parametrize('path, dataset, elsewhere', runs, ids=[f"{'elsewhere' if there else name}-{path.stem}" for path, name, there in runs])


def test_notebook(path, dataset, elsewhere, device, monkeypatch, request, tmp_path):
    storing, cuda = request.config.getoption('--store'), request.config.getoption('--cuda')
    if storing and elsewhere: pytest.skip('outputs are stored from MNIST')
    if dataset == 'digits': monkeypatch.setenv('FASTLESSON_DATASET', 'digits')
    if not storing:   # nothing depends on what is timed, so a fiftieth of the time will do
        autorange = Timer.blocked_autorange
        monkeypatch.setattr(Timer, 'blocked_autorange', lambda timer, min_run_time=.2: autorange(timer, min_run_time=min_run_time / 50))
    skip = set(CFG.tst_flags.split()) - ({'cuda'} if cuda else set()) - ({'slow'} if storing else set())
    lesson = path.name[:2] < '80'   # a lesson runs in any folder; home and tools need the repository
    elsewhere &= device.type == 'cpu'   # one that is there is better
    if elsewhere: monkeypatch.setenv('FASTLESSON_DEVICE', str(THERE))
    nb, ran = run(path, skip, tmp_path if lesson else path.parent, pretended if elsewhere else nullcontext)
    if not elsewhere: assert undefined(nb) == set(), 'an import that is not exported?'
    if storing: return store(nb, ran, path, device)
    if elsewhere or dataset != 'mnist' or device.type != 'cpu': return
    stored = {c.id: c for c in read_nb(path).cells}
    for cell, directives in ran:
        if 'varies' in directives: continue
        now, then = printed(cell), printed(stored[cell.id])
        assert same(now, then), f"{path.name}, cell '{cell.id}' prints {now}; stored is {then}: run `make notebooks NB={path.stem}`"


def test_nothing_is_stored_without_mnist():
    said = subprocess.run([sys.executable, '-m', 'pytest', '--store', __file__], capture_output=True, encoding='utf-8', cwd=CFG.config_path,
                          env=os.environ | {'FASTLESSON_DATASET': 'digits'})
    assert said.returncode == 4 and '--store: outputs are stored from MNIST, which is not at hand' in said.stderr


def notebook(tmp_path, source, *outputs):
    (cell := mk_cell(source, id='small')).outputs = [*outputs]
    (path := tmp_path/'01_small.ipynb').write_text(nb2str(new_nb([mk_cell('# Small', 'markdown'), cell])), encoding='utf-8')
    return path


def test_a_cell_that_fails_is_shown(tmp_path):
    with pytest.raises(pytest.fail.Exception, match="01_small.ipynb, cell 'small':\nx = 1\nassert x == 2"): run(notebook(tmp_path, 'x = 1\nassert x == 2'), set(), tmp_path)


@pytest.mark.parametrize('stored, kept', [('0.123457', True), ('0.123556', False), ('none', False)])
def test_what_says_nothing_new_stays(tmp_path, monkeypatch, stored, kept):
    "An output that differs by its last digit is not stored anew, nor is the date; another one is."
    source = "print('0.123456')"
    path = notebook(tmp_path, source, {'output_type': 'stream', 'name': 'stdout', 'text': [f'{stored}\n']})
    monkeypatch.setitem(globals(), 'committed', lambda path: {'small': source})
    (nb := read_nb(path)).metadata['checked'] = {'date': 'before'}
    write_nb(nb, path)
    store(*run(path, set(), tmp_path), path, 'cpu')
    after = read_nb(path)
    assert ''.join(after.cells[1].outputs[0].text).strip() == (stored if kept else '0.123456') and (after.metadata.checked.date == 'before') == kept
