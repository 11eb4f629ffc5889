"Every notebook runs by itself, on every data set at hand, and prints what is stored in it."
import re

import pytest
from execnb.nbio import read_nb, write_nb
from execnb.shell import CaptureShell
from fastcore.xtras import working_directory
from nbdev.clean import clean_nb
from nbdev.config import get_config
from nbdev.process import NBProcessor

CFG = get_config()
NOTEBOOKS = sorted(CFG.nbs_path.glob('*.ipynb'))
NUMBER = re.compile(r'(-?\d+\.\d+(?:e[+-]\d+)?)')


def run(path, skip_flags):
    "Run a notebook; cells that carry a flag of `skip_flags` keep their outputs."
    flags = [c.directives_ for c in NBProcessor(path).nb.cells]
    nb = read_nb(path)
    shell = CaptureShell(path)
    def skipped(cell):
        directives = flags[nb.cells.index(cell)]
        return ('nbdev_export'+'(' in cell.source or skip_flags & directives.keys()
                or directives.get('eval:') == ['false'])
    try:
        with working_directory(path.parent): shell.run_all(nb, exc_stop=True, preproc=skipped)
    except Exception: pytest.fail(shell.prettytb(fname=path), pytrace=False)
    for cell in nb.cells:   # progress bars and warnings are for the one who runs it
        if 'outputs' in cell: cell.outputs = [o for o in cell.outputs if o.get('name') != 'stderr']
    clean_nb(nb)
    return nb, [(cell, d) for cell, d in zip(nb.cells, flags) if cell.cell_type == 'code' and not skipped(cell)]


def printed(cell):
    "What a cell shows: its text, and of pictures only that there is one."
    def text(o): return ''.join(o) if isinstance(o, list) else o
    return [text(o.text) if 'text' in o else {k: text(v) if k.startswith('text/') else '' for k, v in sorted(o.data.items())}
            for o in cell.outputs]


def same(a, b):
    "Equal texts, but for decimal numbers that differ by one in their last digit: other processors round otherwise."
    a, b = NUMBER.split(str(a)), NUMBER.split(str(b))
    def close(x, y):
        digits = len(re.sub(r'e.*', '', x).split('.')[1])
        exponent = int(x.split('e')[1]) if 'e' in x else 0
        return abs(float(x) - float(y)) <= 1.01 * 10.**(exponent - digits)
    return len(a) == len(b) and a[::2] == b[::2] and all(map(close, a[1::2], b[1::2]))


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook(path, dataset, device, monkeypatch, request):
    store, cuda = request.config.getoption('--store'), request.config.getoption('--cuda')
    if store and dataset != 'mnist': pytest.skip('outputs are stored from MNIST')
    if dataset == 'digits': monkeypatch.setenv('FASTLESSON_DATASET', 'digits')
    skip = set(CFG.tst_flags.split()) - ({'cuda'} if cuda else set()) - ({'slow'} if store else set())
    nb, ran = run(path, skip)
    if store: return write_nb(nb, path)
    if dataset != 'mnist' or device.type != 'cpu': return
    stored = {c.id: c for c in read_nb(path).cells}
    for cell, directives in ran:
        if 'varies' in directives: continue
        now, then = printed(cell), printed(stored[cell.id])
        assert same(now, then), f"{path.name}, cell '{cell.id}' prints {now}; stored is {then}: run `make notebooks`"
