"The package, the notebooks and README.md are in step, and the house keeps its order."
import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from execnb.nbio import read_nb
from nbdev.clean import clean_nb
from nbdev.config import get_config

import fastlesson
from conftest import chromium, pytest_terminal_summary
from fastlesson.processors import PYTHON
from fastlesson.site import readme
from mutate import cells_of

CFG = get_config()
ROOT, BIN = CFG.config_path, Path(sys.executable).parent
LESSONS = sorted(p for p in CFG.nbs_path.glob('[0-9]*.ipynb') if p.name < '80')
PLACE = re.compile(r'(?:\]\(|src=")([^)"]+)')   # in Markdown
MODULES = sorted(CFG.lib_path.glob('[a-z]*.py'))
INSTRUMENTS, PRODUCTS = {'figures', 'grading', 'measure'}, {'bench', 'bench_processes', 'bench_products', 'book', 'practice', 'processors', 'site'}


@pytest.fixture(scope='module')
def copy(tmp_path_factory):
    "A copy of the repository's notebooks in which nbdev has exported and cleaned."
    copy = tmp_path_factory.mktemp('copy')
    for name in ('settings.ini', 'nbs', 'fastlesson'):
        (shutil.copytree if (ROOT/name).is_dir() else shutil.copy)(ROOT/name, copy/name)
    for module in (copy/'fastlesson').glob('*.py'):
        if module.name != '__init__.py': module.unlink()
    for command in ('nbdev_export', 'nbdev_clean'): subprocess.run(BIN/command, cwd=copy, check=True)
    return copy


def differing(copy, folder, pattern):
    names = {p.name for root in (copy, ROOT) for p in (root/folder).glob(pattern)}
    return [n for n in sorted(names) if not all((root/folder/n).exists() for root in (copy, ROOT))
            or (copy/folder/n).read_bytes() != (ROOT/folder/n).read_bytes()]


def test_exported(copy): assert differing(copy, 'fastlesson', '*.py') == [], 'run `make notebooks`: these are not what the notebooks export'
def test_clean(copy): assert differing(copy, 'nbs', '*.ipynb') == [], 'run `nbdev_clean`: these notebooks are not clean'
def test_readme():
    "README.md is what the home page says, and each of its links and pictures is there."
    text = (ROOT/'README.md').read_text(encoding='utf-8')
    assert text == readme(), 'run `make readme`: README.md is not what index.ipynb says'
    assert [place for place in PLACE.findall(text) if '://' not in place and not (ROOT/place).exists()] == []
    assert f']({CFG.doc_host}{CFG.doc_baseurl}/)' in text


def test_source_distribution(tmp_path):
    "It holds what is kept in git, save what serves GitHub, and its description has no relative link."
    code = 'import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))'
    made = subprocess.run([sys.executable, '-c', code, tmp_path], cwd=ROOT, capture_output=True, encoding='utf-8', check=True).stdout.split()[-1]
    with tarfile.open(tmp_path/made) as archive:
        names = {name.partition('/')[2] for name in archive.getnames()}
        about = archive.extractfile(f'{made.removesuffix(".tar.gz")}/PKG-INFO').read().decode()
    kept = subprocess.run(['git', 'ls-files'], cwd=ROOT, capture_output=True, encoding='utf-8', check=True).stdout.splitlines()
    assert [name for name in kept if name[0] != '.' and name not in names] == []
    assert {f'License-File: {name}' for name in ('LICENSE', 'fastlesson/digits-LICENSE.txt')} <= {*about.splitlines()} and 'CC BY 4.0' in (ROOT/'fastlesson/digits-LICENSE.txt').read_text(encoding='utf-8')
    assert 'Classifier: Intended Audience :: Education' in about and f'Project-URL: Lessons, {CFG.doc_host}{CFG.doc_baseurl}' in about
    assert len(PLACE.findall(about)) > 30 and [place for place in PLACE.findall(about) if '://' not in place] == []


@pytest.mark.parametrize('path', sorted([*CFG.nbs_path.glob('*.ipynb'), *(ROOT/'practice').glob('*.ipynb')]), ids=lambda p: f'{p.parent.name}/{p.stem}')
def test_language(path):
    "A notebook says that it is Python's, also after Jupyter's hook has cleaned it: `nbconvert --to script` writes a .py, an editor finds a kernel."
    nb = read_nb(path)
    clean_nb(nb, allowed_metadata_keys=CFG.allowed_metadata_keys.split())
    said = nb.metadata.get('language_info', {})
    assert nb.metadata.get('kernelspec') == PYTHON['kernelspec'] and PYTHON['language_info'].items() <= said.items()


def imports(tree):
    "The names that a syntax tree imports from the package, as (module, name)."
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level == 1 or (node.module or '').startswith('fastlesson.')):
            for alias in node.names: yield (node.module or alias.name).removeprefix('fastlesson.'), alias.name


@pytest.mark.parametrize('module', MODULES, ids=lambda p: p.stem)
def test_module(module):
    "A module is short, and builds only on what stands below it."
    source = module.read_text(encoding='utf-8')
    used = set(imports(ast.parse(source)))
    lesson = module.stem not in INSTRUMENTS | PRODUCTS
    assert len(source.splitlines()) <= {'bench': 330, 'gradcheck': 260, 'grading': 330, 'limit': 450, 'site': 330, 'figures': 450, 'distributed': 265}.get(module.stem, 250)   # figures: a function for each; limit: the product's order, its packing, its two kernels and the pass are one subject
    assert [f'{m}.{name}' for m, name in used if name.startswith('_') and m != module.stem] == [], 'private names stay in their module'
    below = {'bench': {'bench_processes', 'bench_products'}, 'book': {'site'}}.get(module.stem, set())
    assert {m for m, _ in used} & PRODUCTS <= below, 'nobody builds on a product, save the book on the site and the benchmarks on their parts'
    if lesson: assert {m for m, _ in used} & INSTRUMENTS == set(), 'a lesson needs no instrument to be used'
    if module.stem in INSTRUMENTS: assert {m for m, _ in used} <= {'guard'}, 'instruments know no lesson'


def checks(source):
    "Does a cell check something itself, and not only define a function that will?"
    tree = ast.parse(re.sub(r'^( *)[%!].*', r'\1pass', source, flags=re.M))
    nodes = [n for top in tree.body if not isinstance(top, (ast.FunctionDef, ast.ClassDef)) for n in ast.walk(top)]
    called = [ast.unparse(n.func).split('.')[-1] for n in nodes if isinstance(n, ast.Call)]
    return any(isinstance(n, ast.Assert) for n in nodes) or any(re.match('assert_|test_|expect_fail', name) for name in called)


def code_cells(path): return [c for c in read_nb(path).cells if c.cell_type == 'code']


@pytest.mark.parametrize('path', LESSONS, ids=lambda p: p.stem)
def test_lesson(path):
    "A lesson needs only its first cell to run anywhere, claims what it checks, and imports nothing from the roof."
    cells = code_cells(path)
    assert f'fastlesson[notebooks] @ git+{CFG.git_url}' in cells[0].source, 'the address is that of settings.ini'
    assert not any('nbdev' in c.source for c in cells), 'readers have no nbdev'
    unclaimed = [c.id for c in cells if checks(c.source) and not re.search(r'^#\| *(check|hide)\b', c.source, re.M)]
    assert unclaimed == [], 'these check something: give each `#| check: <claim>`, and let it do nothing else'
    plain = '\n'.join(re.sub(r'^[%!].*|^( +)[%!].*', r'\1pass', c.source, flags=re.M) for c in cells)
    assert {m for m, _ in imports(ast.parse(plain))} & PRODUCTS == set()


@pytest.mark.parametrize('path', LESSONS, ids=lambda p: p.stem)
def test_mutants_can_be_made(path):
    "`make mutants` runs a lesson's cells outside IPython."
    for id, source, _ in cells_of(path): compile(source, id, 'exec')


def test_help():
    "`help(fastlesson)` names every lesson's module."
    for path in LESSONS: assert f'`{path.stem[3:]}`' in fastlesson.__doc__


def test_version(): assert importlib.metadata.version(CFG.lib_name) == CFG.version


def test_citation():
    "CITATION.cff says what settings.ini says."
    said = yaml.safe_load((ROOT/'CITATION.cff').read_text(encoding='utf-8'))
    assert (said['version'], said['repository-code'], said['url']) == (CFG.version, CFG.git_url, CFG.doc_host + CFG.doc_baseurl)
    assert said['title'].startswith(CFG.title) and said['authors'] == [{'name': CFG.author}]


@pytest.mark.parametrize('path', sorted((ROOT/'.github'/'workflows').glob('*.yml')), ids=lambda p: p.stem)
def test_workflow(path):
    "Actions are pinned by hash; nothing is allowed that a job doesn't ask for; no job that runs other people's code may write."
    flow = yaml.safe_load(path.read_text(encoding='utf-8'))
    assert flow['permissions'] == {}
    for job in flow['jobs'].values():
        if 'uses' in job:
            assert job['uses'] == './.github/workflows/test.yml' and job['permissions'] == {'contents': 'read'}
            continue
        pinned = [re.fullmatch(r'[\w-]+/[\w-]+@[0-9a-f]{40}', step['uses']) for step in job['steps'] if 'uses' in step]
        assert all(pinned) and job['permissions']
        if any('run' in step for step in job['steps']): assert job['permissions'] == {'contents': 'read'}
        for step in job['steps']:
            if 'actions/checkout' in step.get('uses', ''): assert step['with'] == {'persist-credentials': False}


def test_nothing_is_published_untested():
    "The site needs its own tests and all others; a push to main runs those once."
    flows = {name: yaml.safe_load((ROOT/f'.github/workflows/{name}.yml').read_text(encoding='utf-8')) for name in ('docs', 'test')}
    assert flows['docs']['jobs']['publish']['needs'] == ['test', 'build'] and flows['docs'][True]['push'] == {'branches': ['main']}   # YAML reads `on` as true
    assert flows['test'][True] == {'push': {'branches-ignore': ['main']}, 'pull_request': None, 'workflow_call': None}


def test_any_browser(monkeypatch, tmp_path):
    "One on the path, Playwright's own, or none."
    monkeypatch.setenv('PATH', str(tmp_path))
    (own := tmp_path/'own').touch()
    assert chromium(str(own)) == str(own) and chromium(str(tmp_path/'none')) is None
    (found := tmp_path/'chromium').touch(0o755)
    assert chromium(str(own)) == str(found)


def test_skips_have_reasons():
    "One line for each reason, with how many tests it skipped."
    said, skipped = [], [SimpleNamespace(longrepr=('file', 1, f'Skipped: {reason}')) for reason in ('no browser', 'no GPU', 'no browser')]
    reporter = SimpleNamespace(stats={'skipped': skipped}, write_line=said.append)
    pytest_terminal_summary(reporter, SimpleNamespace(datasets=['digits'], device='cpu'))
    assert said[1:] == ['2 skipped: no browser', '1 skipped: no GPU']


def test_a_crash_ends_the_tests(tmp_path):
    "As `make test` runs them: what crashed is named, and nobody waits for the process that is gone."
    command = re.search('\tpytest -n auto(.*)', (ROOT/'Makefile').read_text(encoding='utf-8'))[1]
    for i in range(8): (tmp_path/f'test_{i}.py').write_text('import os\ndef test(): ' + ('os.abort()' if i == 3 else 'pass') + '\n')
    out = subprocess.run([BIN/'pytest', *f'-n 2 --dist loadfile{command}'.split()], cwd=tmp_path, capture_output=True, encoding='utf-8', timeout=60)
    assert out.returncode == 1 and "crashed while running 'test_3.py::test'" in out.stdout
