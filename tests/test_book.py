"The book is a sound EPUB: every picture and every place that it names is in it, and it says what the lessons claim."
import re
import shutil
import subprocess
from posixpath import join, normpath
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
from execnb.nbio import read_nb
from nbdev.config import get_config

from fastlesson.book import book
from fastlesson.site import read_pages

CHAPTERS = [page['name'] for page in read_pages() if re.match('[01]|80|82', page['name'])]


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    book(path := tmp_path_factory.mktemp('book')/'fastlesson.epub')
    return path


def test_complete(path):
    with ZipFile(path) as epub: texts = {name: epub.read(name).decode() for name in epub.namelist() if name.endswith('html')}
    places = {name: {e.get('id') for e in ElementTree.fromstring(text).iter()} for name, text in texts.items()}
    with ZipFile(path) as epub: names = set(epub.namelist())
    for name, text in texts.items():
        for link in re.findall(r'(?:href|src)="([^":]+)"', text):
            file, _, place = link.partition('#')
            file = normpath(join(name, '..', file)) if file else name
            assert file in names, f'{name}: no {link}'
            if place: assert place in places[file], f'{name}: no place {link}'
    whole = '\n'.join(texts.values())
    cells = [c.source for name in CHAPTERS for c in read_nb(get_config().nbs_path/name).cells if c.cell_type == 'code']
    assert whole.count('✓ ') == sum('#| check:' in source for source in cells) > 100
    assert not re.search(r'#\| |\\tag|<details|math inline', whole)   # no directive, fold or formula is left as it was
    assert path.stat().st_size < 5_000_000


def test_epubcheck(path):
    if not (check := shutil.which('epubcheck')): pytest.skip('epubcheck is not installed (Debian: apt install epubcheck)')
    run = subprocess.run(['java', '-jar', check, path], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
