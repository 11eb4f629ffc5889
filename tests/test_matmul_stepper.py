"The stepper of lesson 1: each version, step by step, against torch."
import pytest
import torch
from torch.testing import assert_close

from fastlesson.figures import matmul_stepper
from fastlesson.matmul import error_bound
from figure_page import A, B, check_planted, click, press, said, shown, state, t64


VERSIONS = ['loops', 'dot', 'broadcast', 'einsum', 'torch']

def partial(version, steps, a, b):
    "What a version has of the product after some steps; entries that it hasn't written are 0."
    c = a.new_zeros(len(a), b.shape[1])
    todo = {'loops': [(i, j, slice(p, p + 1)) for i in range(len(a)) for j in range(b.shape[1]) for p in range(len(b))],
            'dot': [(i, j, slice(None)) for i in range(len(a)) for j in range(b.shape[1])],
            'broadcast': [(i, slice(None), slice(None)) for i in range(len(a))],
            'einsum': [(slice(None), slice(None), slice(p, p + 1)) for p in range(len(b))],
            'torch': [(slice(None),) * 3]}[version]
    for i, j, p in todo[:steps]: c[i, j] += a[i, p] @ b[p, j]
    return c, len(todo)


def check_matmul(figure):
    s = state(figure)
    a, b = t64(s['a']), t64(s['b'])
    c, n_steps = partial(s['version'], s['step'], a, b)
    assert s['count'] == n_steps
    assert_close(t64(s['c']), c, rtol=0, atol=error_bound(a, b).max().item())
    return s


def test_matmul_opens(show):
    figure = show(matmul_stepper(A, B))
    assert state(figure)['step'] == 5 and said(figure) == 'Reads a[0, 1] and b[1, 1]. c[0, 1] was 10, plus 2 × 11 is 32.'
    assert figure.locator('.chip').all_inner_texts() == ['i = 0', 'j = 1', 'p = 1']
    assert figure.locator('.line.lit').inner_text().strip() == 'c[i, j] += a[i, p] * b[p, j]'
    assert figure.locator('.along').count() == 3 + 3   # the row and the column that meet in c[0, 1]
    cubes = [figure.locator(f'path.{name}:not(.flank)').count() for name in ('now', 'done', 'todo')]
    assert cubes == [1, 4, 7]


@pytest.mark.parametrize('version', VERSIONS)
def test_matmul_steps(show, version):
    figure = show(matmul_stepper(A, B))
    figure.get_by_role('combobox', name='Version').select_option(version)
    a, b = A.double(), B.double()
    n_steps = state(figure)['count']
    assert 0 < state(figure)['step'] <= n_steps
    click(figure, 'Reset')
    for step in range(n_steps + 1):
        s = check_matmul(figure)
        assert s['step'] == step and s['multiplyAdds'] == 12 * step // n_steps
        n, k, m = (len(s['box'][name]) for name in 'IPJ') if step else (0, 0, 0)
        assert figure.locator('.read:not(.small *)').count() == n*k + k*m and figure.locator('.write').count() == n*m
        assert figure.locator('path.now:not(.flank)').count() == n*k*m
        click(figure, 'Step')
    assert_close(t64(state(figure)['c']), a @ b)   # a step more than there are changes nothing
    click(figure, 'Back')
    assert_close(t64(state(figure)['c']), partial(version, n_steps - 1, a, b)[0])
    click(figure, 'Reset')
    assert state(figure)['step'] == 0


def test_matmul_as_the_lesson_says(show):
    figure = show(matmul_stepper(A, B))
    def run(version):
        "The box of each step, and what c holds after it."
        figure.get_by_role('combobox', name='Version').select_option(version)
        steps = figure.evaluate("""f => Array.from({length: f.fastlesson.state.count}, (_, t) => {
            f.fastlesson.go(t + 1)
            const {box, c} = f.fastlesson.state
            return [box, c] })""")
        return [box for box, _ in steps], [t64(c) for _, c in steps]
    for version, reading in ('loops', [2, 5]), ('broadcast', [1]):   # the steps that read a[0, 1]
        boxes, _ = run(version)
        assert [t for t, box in enumerate(boxes, 1) if 0 in box['I'] and 1 in box['P']] == reading
    _, after = run('einsum')
    assert len(after) == 3
    assert after[0].tolist() == [[7, 10], [28, 40]]
    for p, (old, new) in enumerate(zip([0, *after], after)): assert torch.equal(new - old, torch.outer(A[:, p], B[p]).double())


def test_matmul_strides(show):
    figure = show(matmul_stepper(A, B))
    figure.get_by_text('How a row at a time looks in memory').click()
    figure.get_by_role('combobox', name='Version').select_option('broadcast')
    views = [A[0, :, None], A[0, :, None].expand(3, 2), B, A[0, :, None] * B]
    touched = [len({v.as_strided((), (), sum(s * i for s, i in zip(v.stride(), index)) + v.storage_offset()).data_ptr()
                    for index in torch.cartesian_prod(*map(torch.arange, v.shape)).tolist()}) * v.element_size() for v in views]
    rows = figure.locator('tbody tr')
    for i, (view, n_bytes) in enumerate(zip(views, touched)):
        cells = [str(tuple(view.shape)), str(view.stride()), str(n_bytes), str(view.numel() * view.element_size())]
        assert rows.nth(i).locator('td').all_inner_texts() == cells


def test_matmul_edit_and_keyboard(show):
    figure = show(matmul_stepper(A, B))
    version = figure.get_by_role('combobox', name='Version')
    version.focus()
    version.press('ArrowDown')
    assert state(figure)['version'] == 'dot'
    press(figure, 'Reset')
    press(figure, 'Step', 'Space')
    press(figure, 'Step', 'ArrowRight')
    press(figure, 'Step', 'ArrowLeft')
    slider = figure.get_by_role('slider', name='Step')
    slider.press('ArrowRight')
    assert state(figure)['step'] == 2 and slider.get_attribute('aria-valuetext') == '2 of 4'
    cell = figure.get_by_label('a[0, 1]', exact=True)
    cell.press('Control+a')
    cell.press_sequentially('-2.5')
    a = A.clone()
    a[0, 1] = -2.5
    assert_close(t64(state(figure)['c'])[0], (a @ B).double()[0])
    assert f'= {shown((a @ B)[0, 1].item())}.' in said(figure)
    cell.fill('')   # not a number: the last one stays, and is shown again when the field is left
    assert state(figure)['a'][0][1] == -2.5
    cell.press('Tab')
    assert cell.input_value() == '-2.5'
    cell.focus()
    figure.page.mouse.move(*(lambda b: (b['x'] + 9, b['y'] + 9))(cell.bounding_box()))
    figure.page.evaluate('addEventListener("wheel", () => {})')   # without a listener Chromium changes no number
    figure.page.mouse.wheel(0, 30)
    figure.page.wait_for_timeout(100)
    assert state(figure)['a'][0][1] == -2.5   # the wheel scrolls
    figure.get_by_label('b[1, 1]', exact=True).fill('1234567')
    assert '1.235e6' not in said(figure)   # whole numbers are written out
    press(figure, 'First values')
    assert state(figure)['a'] == A.tolist() and state(figure)['b'] == B.tolist() and cell.input_value() == '2'
    slider.press('Home')
    press(figure, 'Play')
    figure.page.wait_for_function('f => f.fastlesson.state.step == 4', arg=figure.element_handle(), timeout=10_000)
    figure.get_by_role('button', name='Play', exact=True).wait_for()   # it has stopped by itself


FAULTS = [   # in the script, and the check that must notice each
    (lambda: matmul_stepper(A, B), check_matmul, 'P: [t % k]', 'P: [t % m]'),
    (lambda: matmul_stepper(A, B), check_matmul, 'c[i][j] += a[i][p] * b[p][j]', 'c[i][j] = a[i][p] * b[p][j]')]

@pytest.mark.parametrize('figure, check, good, bad', FAULTS)
def test_planted(show, monkeypatch, figure, check, good, bad): check_planted(show, monkeypatch, figure, check, good, bad)
