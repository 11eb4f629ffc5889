"What the tests run on: the data sets at hand, the device, the browser."
import os
import shutil
import tempfile
from collections import Counter

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')   # read when torch is imported: a thread that spins while it waits takes the core that another test runs on

import pytest
import torch

if not torch.cuda.is_available(): os.environ['TRITON_INTERPRET'] = '1'   # Triton looks at it when kernels are made
os.environ['FASTLESSON_PROGRESS'] = tempfile.mkdtemp() + '/progress.json'   # nor is a developer's progress in the tasks
os.environ['FASTLESSON_RECORDS'] = tempfile.mkdtemp()   # what was recorded on this machine is no part of a lesson's outputs

from fastlesson.data import default_device, load_data


def pytest_addoption(parser):
    parser.addoption('--store', action='store_true', help='store the outputs of the notebooks, and the pictures of the figures, instead of comparing them')
    parser.addoption('--cuda', action='store_true', help='run on a CUDA device, with the cells and tests that need one')


def pytest_configure(config):
    if config.getoption('--cuda') and not torch.cuda.is_available():
        raise pytest.UsageError('--cuda: torch finds no CUDA device here, so nothing was tested')
    config.device = default_device()
    config.datasets = sorted({'digits', load_data(device='cpu').source})
    if config.getoption('--store') and 'mnist' not in config.datasets:
        raise pytest.UsageError('--store: outputs are stored from MNIST, which is not at hand. FASTLESSON_DATA can name a folder that has it.')


@pytest.hookimpl(optionalhook=True)   # of xdist, as the next one
def pytest_xdist_auto_num_workers(config): return os.cpu_count() + 1   # some always wait for a browser or a process


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    "The tests of a file run in one process, which sets up once; notebooks have nothing in common, so each runs where there is room."
    from xdist.scheduler import LoadFileScheduling
    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid): return nodeid if 'test_notebooks' in nodeid else super()._split_scope(nodeid)
    return Scheduling(config, log)


def pytest_generate_tests(metafunc):
    if 'device' in metafunc.fixturenames: metafunc.parametrize('device', [metafunc.config.device], ids=str)


def pytest_terminal_summary(terminalreporter, config):
    missing = '' if 'mnist' in config.datasets else ' (MNIST could not be fetched; FASTLESSON_DATA can name a folder that has it)'
    terminalreporter.write_line(f"device: {config.device} · data: {', '.join(config.datasets)}{missing} · torch {torch.__version__}")
    reasons = Counter(report.longrepr[2].removeprefix('Skipped: ') for report in terminalreporter.stats.get('skipped', []))
    for reason, n in reasons.most_common(): terminalreporter.write_line(f'{n} skipped: {reason}')


def chromium(own):
    "A browser on the path, or else Playwright's `own` or Chrome on a Mac, if there is one."
    names = map(shutil.which, ('chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'))
    return next(filter(None, [*names, *filter(os.path.exists, (own, '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'))]), None)


@pytest.fixture(scope='module')   # not the session: its event loop would be in the way of the notebooks
def browser():
    from playwright.sync_api import sync_playwright   # a machine that only runs notebooks needs none
    with sync_playwright() as p:
        path = chromium(p.chromium.executable_path)
        if not path:
            missing = 'no Chromium on the path (Debian: apt install chromium-headless-shell)'
            (pytest.fail if os.environ.get('CI') else pytest.skip)(missing)
        browser = p.chromium.launch(executable_path=path, args=['--no-sandbox', '--disable-gpu'])
        yield browser
        browser.close()


@pytest.fixture(scope='module')
def tab(browser):
    "A page that the tests of a module use in turn, because opening one takes longer than most of them; in `faults` is what went wrong on it."
    from figure_page import new_page
    page = new_page(browser)
    page.set_default_timeout(15_000)
    yield page
    page.close()


@pytest.fixture
def show(request, tab):
    """Show figures on a page; afterwards, that nothing was fetched, nothing complained, and nothing is wider than the window.
    The page is 1280 px wide: what all figures have in common is tested on a phone, too."""
    tab.goto('about:blank')   # ends what a test before has left running
    tab.emulate_media(media='null', forced_colors='null', reduced_motion='null')
    tab.set_viewport_size({'width': getattr(request, 'param', 1280), 'height': 900})
    tab.faults.clear()
    def fetched(r):
        if not r.url.startswith(('data:', 'about:')): tab.faults.append(f'foreign: {r.url}')
    tab.on('request', fetched)
    def show_(*figures, **colours):
        from figure_page import html, opened
        tab.set_content(html(*figures, **colours))
        opened(tab)
        return tab.locator('.fastlesson, .fastlesson-predict')
    yield show_
    tab.remove_listener('request', fetched)
    assert tab.faults == []
    assert tab.evaluate('document.documentElement.scrollWidth - innerWidth') <= 0, 'wider than the window'
