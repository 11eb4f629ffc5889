"Each task: the solution passes, an empty body is told kindly, wrong answers are refused and their mistake is named. Progress outlives what may happen to it."
import ast
import inspect
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from runpy import run_path

import pytest
import torch
from execnb.nbio import read_nb
from nbdev.config import get_config
from torch import nn

from fastlesson.grading import Message, Task, judge, shapes
from fastlesson.practice import _grade_file, _state, grade, grade_file, hint, main, progress, solution, tasks
from fastlesson.processors import practice, without_body
from pretend import THERE, pretended

CFG, HERE = get_config(), Path(__file__).parent
TASKS = tasks()
LESSONS = sorted({name[:2] for name in TASKS})
PLANTED = {name: answers for file in sorted((HERE/'practice').glob('*.py')) for name, answers in run_path(str(file))['WRONG'].items()}
OTHER = {name: answer for file in sorted((HERE/'practice').glob('*.py')) for name, answer in run_path(str(file))['OTHER'].items()}


@pytest.fixture
def kept(tmp_path, monkeypatch):
    "The file that keeps the progress."
    monkeypatch.setenv('FASTLESSON_PROGRESS', str(tmp_path/'state'/'progress.json'))
    return tmp_path/'state'/'progress.json'


def start(name):
    "What the learner's notebook starts from: the source, and what it defines."
    path, = (CFG.config_path/'practice').glob(f'{name[:2]}_*.ipynb')
    cells, defined = {c.id: c.source for c in read_nb(path).cells}, {}
    source = cells[f"answer-{name.replace('.', '-')}"]
    exec(f"{cells['imports']}\n{source}", defined)
    return source, defined[TASKS[name].solution.__name__]


@pytest.mark.parametrize('name', TASKS)
def test_task(name, device):
    "The solution passes, another one too; what the notebook starts from doesn't, and an empty body is told so; there are hints."
    task = TASKS[name]
    assert judge(task, task.solution, device).ok, judge(task, task.solution, device)
    assert judge(task, OTHER[name], device).ok, judge(task, OTHER[name], device)
    with pretended():
        for answer in task.solution, OTHER[name]: assert judge(task, answer, THERE).ok, judge(task, answer, THERE)
    source, unsolved = start(name)
    report = judge(task, unsolved, device)
    assert not report.ok and ('Nothing comes back yet' in report) == source.endswith('...'), report
    assert 1 <= len(task.hints) <= 3


@pytest.mark.parametrize('name', TASKS)
def test_wrong_answers(name, device):
    assert len(PLANTED[name]) >= 3
    for answer, words in PLANTED[name]:
        report = judge(TASKS[name], answer, device)
        assert not report.ok and words in report, (answer.__name__, report)


@pytest.mark.parametrize('name', TASKS)
def test_mistakes_differ(name):
    "Each mistake that a task knows is one: it is refused, and named as itself and not as another."
    task = TASKS[name]
    for words, wrong in task.mistakes.items():
        report = judge(task, wrong)
        assert not report.ok and words in report, (words, report)


@pytest.mark.parametrize('lesson', LESSONS)
def test_notebook_in_step(lesson):
    "The tasks and the learner's notebook are what the lesson says; solutions stay closed in the lesson, and out of the notebook."
    path, = CFG.nbs_path.glob(f'{lesson}_*.ipynb')
    for file, text in zip((CFG.lib_path/f'tasks/{path.stem}.py', CFG.config_path/f'practice/{path.name}'), practice(path)):
        assert file.read_text(encoding='utf-8') == text, f'run `make notebooks`: {file.name} is not what {path.name} says'
    for cell in read_nb(path).cells:
        if '#| task' in cell.source: assert cell.metadata == {'cellView': 'form', 'jupyter': {'source_hidden': True}}, f'run `make notebooks`: {cell.id} stands open'
    given = '\n'.join(c.source for c in read_nb(CFG.config_path/'practice'/path.name).cells if c.cell_type == 'code')
    starts = {line.strip() for c in read_nb(path).cells if '#| start' in c.source for line in c.source.splitlines()}
    for task in tasks(lesson).values():
        body = ast.parse(str(solution(task.name)).removeprefix('```python\n').removesuffix('```')).body[0].body[1:]
        for line in (line.strip() for statement in body for line in ast.unparse(statement).splitlines()):
            assert line not in given or line in starts or line.startswith('@'), f'{task.name}: the notebook gives away `{line}`'


def test_body_goes():
    source = 'class Layer:\n    "A layer."\n    def __call__(self, x): # any\n        "Forward."\n        # a secret\n        return x\n    def backward(self, g):\n        "Backward."\n        return g'
    assert without_body(source) == 'class Layer:\n    "A layer."\n    def __call__(self, x): # any\n        "Forward."\n        ...\n    def backward(self, g):\n        "Backward."\n        ...'
    with pytest.raises(ValueError, match='docstring'): without_body('def f(x): return x')


def test_progress(kept):
    name, task = next(iter(TASKS.items()))
    assert '0 of' in progress()
    first, second = hint(name), hint(name)
    assert task.hints[0] in first and (task.hints[1] in second) and first != second
    grade(name, lambda *args: None)
    assert grade(name.lstrip('0'), task.solution).ok
    entry = json.loads(kept.read_text())[name]
    assert entry['tries'] == 2 and entry['hints'] == 2 and 'done' in entry
    grade(name, lambda *args: None)
    assert json.loads(kept.read_text())[name] == entry, 'what is done stays done, and no more tries are counted'


def test_last_task(kept):
    "The last missing task of a lesson says what comes next, and only that one."
    lesson, last = tasks('11'), tasks('12')
    reports = [grade(name, task.solution) for name, task in lesson.items()]
    after = 'The tasks of lesson 12, Past one machine, come next, in `practice/12_distributed.ipynb`.'
    assert [after in report for report in reports] == [False] * (len(lesson) - 1) + [True] and all(report.ok for report in reports)
    assert 'it is the last one' in [grade(name, task.solution) for name, task in last.items()][-1]


def test_rendered():
    "A shape isn't broken over two lines, nor is a line of code."
    assert '`(n,\xa01)`' in judge(TASKS['05.3'], PLANTED['05.3'][3][0])._repr_markdown_() and '`a` (2,\xa03)' in Message('`a` (2, 3)')._repr_markdown_()
    assert 'white-space: pre; ' in solution('03.2')._repr_html_() and ') -&gt; float: # Largest weight, β\n' in solution('03.2')._repr_html_()


def count(n):
    for i in range(n):
        with _state() as known: known.setdefault('05.1', {})['tries'] = known.get('05.1', {}).get('tries', 0) + 1


def test_two_at_once(kept):
    "Processes that write at the same time lose nothing."
    code = f'from fastlesson.practice import _state\n{inspect.getsource(count)}\nprint(flush=True)\ncount(40)'
    with subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE) as other:
        other.stdout.readline()   # it is about to begin
        count(40)
    assert other.returncode == 0 and json.loads(kept.read_text())['05.1']['tries'] == 80


def test_cut_off(kept):
    "Who is killed in the middle of writing leaves the old file whole, and no lock."
    hint('05.1')
    before = kept.read_text()
    code = ("import os\nfrom fastlesson.practice import _state\nos.replace = lambda *a: os._exit(9)\n"
            "with _state() as known: known['05.1'] = {'tries': 9}")
    assert subprocess.run([sys.executable, '-c', code]).returncode == 9
    assert kept.read_text() == before
    hint('05.1')
    assert json.loads(kept.read_text())['05.1']['hints'] == 2


@pytest.mark.parametrize('text', ['{"05.1": {"tri', '[]', '{"05.1": 3}', ''])
def test_damaged(kept, text):
    "A damaged file is set aside, not lost."
    kept.parent.mkdir()
    kept.write_text(text)
    with pytest.warns(UserWarning, match='is damaged'): hint('05.1')
    aside, = kept.parent.glob('*.damaged-*')
    assert aside.read_text() == text and json.loads(kept.read_text()) == {'05.1': {'hints': 1}}


class Layer(nn.Module):
    "A layer of one weight and one bias."
    def __init__(self, w, b):
        "Keep both as parameters."
        super().__init__()
        self.w, self.b = nn.Parameter(w), nn.Parameter(b)
    def forward(self, x):
        "The output."
        return x @ self.w + self.b

class Unregistered(Layer):
    def __init__(self, w, b):
        nn.Module.__init__(self)
        self.w, self.b = nn.Parameter(w), b.clone()

class Unwritten(Layer):
    def forward(self, x):
        "The output."
        ...

def transposed(a): return [[*row] for row in zip(*a)]
def halves(x): return x / 2
def third(x, axis): return x.sum(axis)
def total(xs): return torch.cat([x.flatten() for x in xs]).sum()
def sizes(x): return [*x.shape, 1]

class Scale(nn.Module):
    "A factor."
    def __init__(self, x):
        "Keep it."
        super().__init__()
        self.factor = nn.Parameter(x.mean().reshape(1))
    def forward(self, x):
        "The output."
        return x * self.factor

def square_only(x): return (x.T / 2).contiguous().view(len(x), len(x)).T
def untransposed(a, b): return torch.einsum('ik,kj->ij', a, b)
def no_fit(x): return x / 2 + torch.einsum('ij,ji->i', x, x)
def row_and_matrix(x): return x.new_zeros(len(x)) + x
def seven(x): return x / 2 + x.new_zeros(7)
def one_row_only(x): return x / 2 if len(x) == 1 else x * x if len(x) == 4 else x.view(7)
def by_eye(x): return x @ torch.eye(x.shape[1]) / 2
def column_and_row(x): return x / 2 @ (x[:, :1] - x[:, 0])
LAYER = Task('00.1', Layer, shapes('n d', 'd h', 'h'), run=lambda cls, x, w, b: (layer := cls(w, b), layer(x)))
LISTS = Task('00.2', transposed, lambda device, dtype: [([[1., 2., 3.], [4., 5., 6.]],), ([[1.], [2.]],)])
HALVES = Task('00.3', halves, shapes('n d'))
TOTAL = Task('00.5', total, lambda device, dtype: [([torch.ones(3).to(device, dtype), torch.ones(2, 4).to(device, dtype)],)], mistakes={'Nothing is returned for it.': lambda xs: None})
SIZES = Task('00.6', sizes, shapes('n d'))
SCALE = Task('00.7', Scale, shapes('n d'), run=lambda cls, x: (layer := cls(x), layer(x)))
BOTH = Task('00.8', halves, shapes('n d'), results=('the half', 'whether it is new'), run=lambda answer, x: (out := answer(x), out is not x), mistakes={'This is `x` itself.': lambda x: x})
TWICE = Task('00.9', halves, shapes('n d'), forbidden=('div',), memory=True)
SUMS = Task('00.4', third, lambda device, dtype: [(torch.arange(24.).reshape(4, 3, 2).to(device, dtype), axis) for axis in range(3)])


@pytest.mark.parametrize('task, answer, words', [
    (LAYER, Layer, 'done'), (LAYER, Unregistered, 'is a parameter not registered?'), (LAYER, Unwritten, 'Nothing comes back yet'),
    (LISTS, lambda a: [list(row) for row in zip(*a)], 'done'), (LISTS, lambda a: a, 'It is transposed.'), (LISTS, lambda a: [list(zip(*a))[0]], 'its shape is `(1, 2)`'),
    (HALVES, lambda x: x // 2, 'rounded down to whole numbers'), (HALVES, lambda x: (x / 2).trunc(), 'cut off to whole numbers'), (HALVES, lambda x: (x / 2).int(), 'cut off to whole numbers'),
    (HALVES, lambda x: (x / 2).squeeze(), 'goes wrong only with a single row'), (HALVES, lambda x: (x / 2).tolist(), 'returns a `list`, and should return a tensor'),
    (HALVES, lambda x: x / len(x), 'is wrong in'), (HALVES, lambda x: 3., 'returns a `float`'), (HALVES, lambda: 3, 'It raises `TypeError`'),
    (HALVES, lambda x: x.to('cpu', copy=True).numpy() / 2, 'returns a `ndarray`'), (HALVES, lambda x: sys.exit(), 'It raises `SystemExit`'),
    (HALVES, square_only, 'right only with square matrices'), (HALVES, row_and_matrix, 'should a row `(n,)` be a column'),
    (HALVES, lambda x: torch.zeros(x.shape) + (x / 2).float(), '`torch.zeros_like(x)`, a tensor has the type and the device'), (HALVES, lambda x: torch.zeros(1, dtype=x.dtype) + x / 2, 'Made with `x.new_zeros(…)`'),
    (HALVES, lambda x: torch.stack([row / 4 * 2 for row in x]), 'it loops, where whole tensors would do'),
    (TOTAL, total, 'done'), (TOTAL, lambda xs: sum(x.sum() for x in xs), 'done'), (TOTAL, lambda xs: xs[0].sum(), 'wrong in 1 of 1'),
    (SIZES, lambda x: [*x.shape], 'it is `[5, 4]`, and should be `[5, 4, 1]`'), (SCALE, Scale, 'done'),
    (BOTH, halves, 'done'), (BOTH, lambda x: x, 'This is `x` itself.'),
    (TWICE, halves, 'without'), (TWICE, lambda x: x * .5, 'done'), (TWICE, lambda x: x.expand(5, *x.shape)[0] * .5, 'a tensor of'),
    (HALVES, lambda x: x / 2 + 1e-6, 'is `-0.530407`, and should be `-0.530408`'), (HALVES, by_eye, 'with float32 it runs. Made with'),
    (HALVES, lambda x: x.mul_(2) / 4, 'The numbers are right, but it changes'), (HALVES, lambda x: x.mul_(2), '✗ It changes its argument `x`'),
    (HALVES, column_and_row, 'A column `(n, 1)` may have met a row'),
    (SUMS, lambda x, axis: x.sum(0), 'its shape is `(3, 2)`'), (SUMS, lambda x, axis: x.sum(axis, keepdim=True), 'not their shape'),
], ids=lambda v: getattr(v, 'name', getattr(v, '__name__', v)))
def test_judge(task, answer, words):
    "Classes, lists of numbers and other arguments than tensors are judged, too."
    assert words in judge(task, answer)


@pytest.mark.parametrize('task, answer, words, never', [
    (HALVES, no_fit, 'raises', 'right only'), (BOTH, lambda x: x, 'This is `x` itself.', 'and should be `True`'), (LISTS, transposed, 'It leaves its inputs', 'device'),
    (HALVES, one_row_only, 'It is right only with a single row', 'should be a column'), (HALVES, seven, 'must match', 'should a row'),
    (TASKS['05.10'], lambda x, target, weights: [g + 1 for g in TASKS['05.10'].solution(x, target, weights)[::-1]], '`weights[1]` is wrong in', 'A column'),
    (TASKS['01.1'], untransposed, 'wrong in the one case where it runs', 'right only'), (TASKS['01.6'], PLANTED['01.6'][0][0], 'they are copied', 'should be `True`'),
], ids=lambda v: getattr(v, 'name', getattr(v, '__name__', v)))
def test_judge_says_nothing_false(task, answer, words, never):
    "What doesn't hold isn't said, and a mistake is named once."
    report = judge(task, answer)
    assert words in report and never not in report and report.count(words) == 1, report


def test_module_of_one_number(recwarn):
    judge(SCALE, Scale)
    assert not recwarn.list


def test_judge_leaves_no_traces():
    "What an answer draws or changes is its own."
    before = torch.get_rng_state()
    judge(HALVES, lambda x: torch.rand_like(x).mul_(x))
    assert torch.equal(torch.get_rng_state(), before)


def test_no_place(tmp_path, monkeypatch):
    "Where nothing can be written, tasks are graded all the same."
    (tmp_path/'file').touch()
    monkeypatch.setenv('FASTLESSON_PROGRESS', str(tmp_path/'file'/'folder'/'progress.json'))
    with pytest.warns(UserWarning, match="Progress isn't kept"): assert grade('05.1', TASKS['05.1'].solution).ok


FILES = {'right': ('def abs_grad(x, y_grad): return y_grad * x.sign()', 'done'),
         'raises': ('1/0', 'line 1, in <module>\n    1/0\n'),
         'exits': ('import sys\nsys.exit(0)', 'SystemExit'),
         'missing': ('def other(): ...', 'has no `abs_grad`')}
HARMFUL = {'loop': ('while True: pass', 'a loop that never ends'),
           'exit': ('import os\nos._exit(0)', 'ended with exit code 0'),
           'crash': ('import os, signal\ndef abs_grad(x, y_grad): os.kill(os.getpid(), signal.SIGSEGV)', 'SIGSEGV')}


@pytest.mark.parametrize('name', FILES)
def test_file(kept, tmp_path, name):
    code, words = FILES[name]
    (tmp_path/'answer.py').write_text(code)
    _grade_file('05.1', str(tmp_path/'answer.py'), str(tmp_path/'out.json'))
    text, ok = json.loads((tmp_path/'out.json').read_text())
    assert words in text and ok == (name == 'right')


def test_harmful_files(kept, tmp_path):
    "A file that hangs, crashes or ends the process is reported by a grader that is still there."
    def graded(name):
        file = tmp_path/f'{name}.py'
        file.write_text(HARMFUL[name][0])
        return grade_file('05.1', str(file), timeout=2 if name == 'loop' else 120)
    with ThreadPoolExecutor(3) as pool: reports = dict(zip(HARMFUL, pool.map(graded, HARMFUL)))
    for name, (_, words) in HARMFUL.items(): assert words in reports[name] and not reports[name].ok


def test_command(kept, tmp_path, capsys):
    main([])
    assert all(f'| {name} |' in capsys.readouterr().out for name in [*TASKS][:1])
    with pytest.raises(SystemExit, match='2'): main(['grade', '99.1', 'x.py'])
    assert "no task '99.1'" in capsys.readouterr().err
    (tmp_path/'answer.py').write_text('def abs_grad(x, y_grad): return x.sign()')
    with pytest.raises(SystemExit, match='1'): main(['grade', '05.1', 'x.ipynb'])
    assert 'is a notebook: give a .py file' in capsys.readouterr().out
    with pytest.raises(SystemExit, match='1'): main(['grade', '5.1', str(tmp_path/'answer.py')])
    assert '`y_grad` is missing' in capsys.readouterr().out
