"Cross-entropy and training: any shape and type, extreme numbers, and what is refused."
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlesson.forward import Params, forward
from fastlesson.init import init_params
from fastlesson.train import SGD, accuracy, cross_entropy, cross_entropy_grad, fit, log_softmax


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 20), st.integers(1, 12), st.floats(-1e4, 1e4), st.floats(1e-3, 1e3), st.integers(0, 1000))
def test_cross_entropy_as_torch(n, k, shift, scale, seed):
    g = torch.Generator().manual_seed(seed)
    logits = (torch.randn(n, k, generator=g, dtype=torch.float64) * scale + shift).requires_grad_()
    target = torch.randint(k, (n,), generator=g)
    right = F.cross_entropy(logits, target)
    right.backward()
    torch.testing.assert_close(cross_entropy(logits, target), right, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(cross_entropy_grad(logits.detach(), target), logits.grad, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_dtypes_and_devices(dtype, device):
    if device.type == 'mps' and dtype == torch.float64: pytest.skip('no float64 there')
    g = torch.Generator().manual_seed(0)
    logits, target = torch.randn(9, 5, generator=g).to(device, dtype), torch.randint(5, (9,), generator=g).to(device)
    tol = dict(rtol=0, atol=20 * torch.finfo(dtype).eps)
    for got, right in ((log_softmax(logits), F.log_softmax(logits, 1)), (cross_entropy(logits, target), F.cross_entropy(logits, target))):
        assert got.dtype == dtype and got.device == logits.device
        torch.testing.assert_close(got, right, **tol)
    leaf = logits.clone().requires_grad_()
    F.cross_entropy(leaf, target).backward()
    torch.testing.assert_close(cross_entropy_grad(logits, target), leaf.grad, **tol)


@pytest.mark.parametrize('fn', [cross_entropy, cross_entropy_grad, accuracy])
@pytest.mark.parametrize('logits, target, message', [
    (torch.zeros(2, 3), torch.tensor([0, 3]), 'target runs from 0 to 3'),
    (torch.zeros(2, 3), torch.tensor([-1, 0]), 'target runs from -1 to 0'),
    (torch.zeros(2, 3), torch.tensor([0., 1.]), 'torch.float32: it must be'),
    (torch.zeros(2, 3), torch.tensor([0]), r'target is \(1,\)'),
    (torch.zeros(3), torch.tensor([0, 0, 0]), r'logits has shape \(3,\)'),
    (torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), 'n at least 1')])
def test_bad_targets(fn, logits, target, message):
    with pytest.raises(ValueError, match=message): fn(logits, target)


def test_what_is_not_finite_shows():
    target = torch.tensor([0, 1])
    assert cross_entropy(torch.tensor([[math.nan, 0], [0, 0]]), target).isnan()
    assert cross_entropy(torch.tensor([[math.inf, 0], [0, 0]]), target).isnan()   # ∞ - ∞, as PyTorch's
    assert cross_entropy(torch.tensor([[-math.inf, 0], [0, 0]]), target) == math.inf   # certain, and wrong
    assert torch.equal(log_softmax(torch.tensor([[-math.inf, 0]])), torch.tensor([[-math.inf, 0]]))


def problem(n=50, device='cpu'):
    g = torch.Generator().manual_seed(0)
    x, target = torch.randn(n, 6, generator=g).to(device), torch.randint(3, (n,), generator=g).to(device)
    return x, target, init_params(6, 4, 3, generator=g, device=device)


def test_training_on_the_device_learns_what_it_sees(device):
    x, target, params = problem(device=device)
    before = [p.clone() for p in params]
    trained, history = fit(params, x, target, x, target, epochs=30, batch_size=20, lr=.2, momentum=.5)
    for a, b in zip(params, before): assert torch.equal(a, b)
    assert isinstance(trained, Params) and all(p.device == x.device and not p.requires_grad for p in trained)
    assert len(history.loss) == 30 * 3 and len(history.accuracy) == 30   # 20, 20 and 10 rows
    assert history.accuracy[-1] > .6 and sum(history.loss[-3:]) < .8 * sum(history.loss[:3])
    assert history.accuracy[-1] == accuracy(forward(x, trained), target)


def test_the_seed_decides():
    x, target, params = problem()
    def run(**kw): return fit(params, x, target, x, target, epochs=2, batch_size=7, **kw)[1].loss
    assert run(seed=1) == run(seed=1) != run(seed=2)


def test_one_image_and_parameters_that_want_gradients():
    x, target, params = problem(1)
    leaves = Params(*(p.requires_grad_() for p in params))
    _, history = fit(leaves, x, target, x, target, epochs=20)
    assert history.loss[-1] < history.loss[0] and all(p.grad is None for p in leaves)


def test_fit_refuses_before_it_starts():
    x, target, params = problem()
    with pytest.raises(ValueError, match='target runs from'): fit(params, x, target + 1, x, target)
    with pytest.raises(ValueError, match=r'target is \(49,\)'): fit(params, x, target[1:], x, target)
    with pytest.raises(ValueError, match='torch.int64'): fit(params, x.long(), target, x, target)
    with pytest.raises(ValueError, match='lr is 0'): fit(params, x, target, x, target, lr=0)
    with pytest.raises(ValueError, match='logits has shape'): fit(params, x[:0], target[:0], x, target)
    with pytest.raises(ValueError, match='y_valid'): fit(params, x, target, x, target + 1)


@pytest.mark.parametrize('momentum', [0., .3, .9])
def test_sgd_as_torch(momentum):
    g = torch.Generator().manual_seed(0)
    start = torch.randn(4, 3, generator=g, dtype=torch.float64)
    ours, theirs = start.clone(), start.clone().requires_grad_()
    a, b = SGD([ours], .1, momentum), torch.optim.SGD([theirs], .1, momentum)
    for _ in range(10):
        theirs.grad = torch.randn(4, 3, generator=g, dtype=torch.float64)
        a.step([theirs.grad])
        b.step()
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-13, atol=1e-13)


def test_plain_sgd_is_the_default():
    assert SGD([torch.zeros(1)], .1).momentum == 0


def test_the_progress_bar_ends_where_the_work_does(monkeypatch):
    class Bar:
        def __init__(self, total, unit, leave): self.total, self.n, self.said = total, 0, []
        def __enter__(self): bars.append(self); return self
        def __exit__(self, *_): pass
        def update(self): self.n += 1
        def set_description(self, text): self.said.append(text)
    bars = []
    monkeypatch.setattr('fastlesson.train.tqdm', Bar)
    x, target, params = problem()
    _, history = fit(params, x, target, x, target, epochs=2, batch_size=20)
    assert bars[0].n == bars[0].total == 6
    assert bars[0].said == [f'epoch {i}: {share:.1%} right' for i, share in enumerate(history.accuracy, 1)]
