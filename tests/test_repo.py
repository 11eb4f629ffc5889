"The package, the notebooks and README.md are in step."
import importlib
import inspect
import shutil
import subprocess

import pytest
from execnb.nbio import read_nb
from nbdev.config import get_config

from fastlesson.site import readme

ROOT = get_config().config_path


@pytest.fixture(scope='module')
def copy(tmp_path_factory):
    "A copy of the repository's notebooks in which nbdev has exported and cleaned."
    copy = tmp_path_factory.mktemp('copy')
    for name in ('settings.ini', 'nbs', 'fastlesson'):
        (shutil.copytree if (ROOT/name).is_dir() else shutil.copy)(ROOT/name, copy/name)
    for module in (copy/'fastlesson').glob('*.py'):
        if module.name != '__init__.py': module.unlink()
    for command in ('nbdev_export', 'nbdev_clean'): subprocess.run(command, cwd=copy, check=True)
    return copy


def differing(copy, folder, pattern):
    names = {p.name for root in (copy, ROOT) for p in (root/folder).glob(pattern)}
    return [n for n in sorted(names) if not all((root/folder/n).exists() for root in (copy, ROOT))
            or (copy/folder/n).read_bytes() != (ROOT/folder/n).read_bytes()]


def test_exported(copy): assert differing(copy, 'fastlesson', '*.py') == [], 'run `make notebooks`: these are not what the notebooks export'
def test_clean(copy): assert differing(copy, 'nbs', '*.ipynb') == [], 'run `nbdev_clean`: these notebooks are not clean'
def test_readme(): assert (ROOT/'README.md').read_text() == readme(), 'run `make notebooks`: README.md is not what index.ipynb says'


LESSONS = sorted(ROOT.glob('nbs/0*.ipynb'))


@pytest.mark.parametrize('path', LESSONS, ids=lambda p: p.stem)
def test_colab(path):
    cell = next(c for c in read_nb(path).cells if c.id == 'colab')
    assert f"git clone -q --depth 1 {get_config().git_url}\n" in cell.source, 'the address is that of settings.ini'


def test_reference():
    "Every public function and class has an entry in the reference."
    shown = ''.join(c.source for c in read_nb(ROOT/'nbs/81_api.ipynb').cells)
    for path in ROOT.glob('fastlesson/[a-z]*.py'):
        module = importlib.import_module(f'fastlesson.{path.stem}')
        missing = [n for n in module.__all__ if (inspect.isfunction(o := getattr(module, n)) or inspect.isclass(o)) and f'show_doc({path.stem}.{n})' not in shown]
        assert not missing, f'81_api.ipynb has no show_doc for {path.stem}: {missing}'
