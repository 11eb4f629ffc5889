"""Do the lessons notice when their code is wrong? Not a part of `make test`: `python tests/mutate.py [notebook ...] [--sample N]`.

Every exported cell is changed in one place at a time: an operator, a comparison, a number, a sign, a condition, a statement left out.
A change is noticed if the cell's own notebook fails (on the digits), or else the tests of its module. What survives is listed.
"""
import argparse
import ast
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SWAP = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult,
        ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
        ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And}
QUIET = ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom   # messages are not what is tested here


def places(node):
    "Yield, for each place in a tree that can be changed, a function that changes it and gives back how to undo that."
    for field, value in ast.iter_fields(node):
        if field in ('annotation', 'returns', 'decorator_list'): continue
        for i, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or isinstance(child, QUIET): continue
            def put(new, field=field, value=value, i=i):
                if isinstance(value, list): value[i] = new
                else: setattr(node, field, new)
            for new in changes(child, field): yield child, new, put
            yield from places(child)


def changes(node, field):
    "What may stand in a node's place."
    if type(node) in SWAP: yield SWAP[type(node)]()
    elif isinstance(node, ast.Constant) and type(node.value) is bool: yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float): yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)): yield node.operand
    elif isinstance(node, (ast.If, ast.IfExp, ast.While)): yield type(node)(**dict(ast.iter_fields(node)) | {'test': ast.UnaryOp(ast.Not(), node.test)})
    elif isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr, ast.Return)) and field in ('body', 'orelse') and not (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)): yield ast.Pass()   # docstrings stay


def mutants(source):
    "Pairs of what was changed and the changed source."
    tree = ast.parse(source)
    for old, new, put in list(places(tree)):
        before = ast.unparse(tree)
        put(new)
        after = ast.unparse(ast.fix_missing_locations(tree))
        put(old)
        if after == before: continue
        a, b = ([l for l in t.splitlines()] for t in (before, after))
        first = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        yield f'{a[first].strip()}  ->  {b[first].strip() if first < len(b) else ""}', after


def cells_of(path):
    from execnb.nbio import read_nb
    for cell in read_nb(path).cells:
        if cell.cell_type != 'code': continue
        if re.search(r'^(#\|\s*(slow|cuda|eval: false)| *%)', cell.source, re.M): continue   # nor IPython's own commands
        yield cell.id, cell.source, bool(re.match(r'#\|\s*exports?\s*$', cell.source.splitlines()[0] if cell.source else ''))


def survives(cells, at, source, namespace, limit=90):
    "Does the notebook pass from cell `at` on, with another source there? In a process of its own."
    if (pid := os.fork()) == 0:
        signal.alarm(limit)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        try:
            exec(compile(source, '<mutant>', 'exec'), namespace)
            for id, later, _ in cells[at+1:]: exec(compile(later, id, 'exec'), namespace)
        except BaseException: os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def tests_pass(module, id, source):
    "Do the tests that use this module pass, with another source for one cell?"
    uses = re.compile(rf'fastlesson(\.| import .*\b){module}\b')
    tests = [str(p) for p in sorted((ROOT/'tests').glob('test_*.py')) if uses.search(p.read_text()) and 'playwright' not in p.read_text()]
    if not tests: return True
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT/'fastlesson', Path(folder)/'fastlesson')
        file = Path(folder)/'fastlesson'/f'{module}.py'
        file.write_text(re.sub(rf'(# %% \S+ #{re.escape(id)}\n).*?(?=\n# %% |\Z)', lambda m: m[1] + source.replace('from fastlesson.', 'from .') + '\n',
                               file.read_text(), flags=re.S))
        try:
            return subprocess.run([sys.executable, '-m', 'pytest', '-x', '-q', '-c', str(ROOT/'pytest.ini'), *tests], cwd=folder, timeout=120,
                                  env={k: v for k, v in os.environ.items() if k != 'FASTLESSON_DATASET'} | {'PYTHONPATH': folder}, capture_output=True).returncode == 0
        except subprocess.TimeoutExpired: return False


def mutate(path, sample):
    "Run the mutants of one notebook; give back how many there were and which survived."
    cells, namespace, made = list(cells_of(path)), {'__name__': '__main__'}, []
    os.chdir(path.parent)
    module = next(re.search(r'default_exp (\w+)', source)[1] for _, source, _ in cells if 'default_exp' in source)
    for at, (id, source, exported) in enumerate(cells):
        if exported: made += [(at, *m) for m in mutants(source)]
    chosen = made if sample is None or sample >= len(made) else sorted(random.Random(0).sample(made, sample))
    survivors = []
    for at, (id, source, _) in enumerate(cells):
        for _, what, changed in [m for m in chosen if m[0] == at]:
            if survives(cells, at, changed, namespace) and tests_pass(module, id, changed):
                survivors.append(f'{path.stem} #{id}:  {what}')
                print('  survived:', survivors[-1], flush=True)
        exec(compile(source, id, 'exec'), namespace)   # the right one, for the cells below
    print(f'{path.stem}: {len(chosen) - len(survivors)} of {len(chosen)} noticed ({len(made)} can be made)', flush=True)
    return len(chosen), survivors


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('notebooks', nargs='*', type=Path, default=sorted((ROOT/'nbs').glob('0*.ipynb')))
    parser.add_argument('--sample', type=int, help='at most so many changes in each notebook, drawn with a fixed seed')
    args = parser.parse_args()
    os.environ |= {'FASTLESSON_DATASET': 'digits', 'FASTLESSON_DEVICE': 'cpu', 'MPLBACKEND': 'agg', 'OMP_NUM_THREADS': '1', 'TQDM_DISABLE': '1'}
    import torch
    torch.set_num_threads(1)
    torch.set_num_threads = lambda n: None   # a process that has started threads can't be forked
    warnings.simplefilter('ignore')
    notebooks = [p.resolve() for p in args.notebooks]
    results = [mutate(path, args.sample) for path in notebooks]
    total, survived = sum(n for n, _ in results), sum(len(s) for _, s in results)
    print(f'{total - survived} of {total} noticed: {(total - survived) / max(total, 1):.0%}')
