"Cross-entropy and training: any shape and type, extreme numbers, and what is refused."
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from torch import nn

from fastlesson.init import he_std
from fastlesson.layers import Linear, Model, ReLU
from fastlesson.train import CrossEntropy, SGD, accuracy, cross_entropy, cross_entropy_grad, fit, log_softmax


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
    (torch.zeros(2, 3), torch.tensor([0., 1.]), 'target is .*torch.float32: they must be'),
    (torch.zeros(2, 3), torch.tensor([0]), r'target is \(1,\)'),
    (torch.zeros(3), torch.tensor([0, 0, 0]), r'logits is \(3,\)'),
    (torch.zeros(2, 3, dtype=torch.uint8), torch.tensor([0, 1]), 'logits is .*torch.uint8'),
    (torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), 'n at least 1')])
def test_bad_targets(fn, logits, target, message):
    with pytest.raises(ValueError, match=message): fn(logits, target)


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int64, torch.bool], ids=str)
def test_logits_are_floating(dtype):
    with pytest.raises(ValueError, match='of a floating dtype'): log_softmax(torch.tensor([[1, 3]]).to(dtype))


def test_what_is_not_finite_shows():
    target = torch.tensor([0, 1])
    assert cross_entropy(torch.tensor([[math.nan, 0], [0, 0]]), target).isnan()
    assert cross_entropy(torch.tensor([[math.inf, 0], [0, 0]]), target).isnan()   # ∞ - ∞, as PyTorch's
    assert cross_entropy(torch.tensor([[-math.inf, 0], [0, 0]]), target) == math.inf   # certain, and wrong
    assert torch.equal(log_softmax(torch.tensor([[-math.inf, 0]])), torch.tensor([[-math.inf, 0]]))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(1, 12), st.floats(1e-3, 1e3), st.integers(0, 1000))
def test_the_loss_at_the_end_of_a_model_is_the_function(n, k, scale, seed):
    g = torch.Generator().manual_seed(seed)
    logits, target = torch.randn(n, k, generator=g, dtype=torch.float64) * scale, torch.randint(k, (n,), generator=g)
    loss = CrossEntropy()
    torch.testing.assert_close(loss(logits, target), cross_entropy(logits, target), rtol=0, atol=0)
    torch.testing.assert_close(loss.backward(), cross_entropy_grad(logits, target), rtol=0, atol=1e-15)
    torch.testing.assert_close(loss.backward(), cross_entropy_grad(logits, target), rtol=0, atol=1e-15)   # again, not on top


def test_the_loss_at_the_end_of_a_model_refuses():
    with pytest.raises(AttributeError, match='CrossEntropy has no log_p.*call the CrossEntropy first'): CrossEntropy().backward()
    with pytest.raises(ValueError, match=r'target is \(2, 1\)'): CrossEntropy()(torch.zeros(2, 3), torch.tensor([[0], [1]]))
    for wrong in (-1, 3):
        with pytest.raises((RuntimeError, IndexError), match='out of bounds'): CrossEntropy()(torch.zeros(2, 3), torch.tensor([0, wrong]))


def model_of(*sizes, seed=0, dtype=torch.float32, device='cpu'):
    "Linear layers of these sizes with a ReLU between each two, cross-entropy at the end."
    g, layers = torch.Generator().manual_seed(seed), []
    for n_in, n_out in zip(sizes, sizes[1:]):
        w, b = torch.randn(n_in, n_out, generator=g, dtype=torch.float64) * he_std(n_in), torch.randn(n_out, generator=g, dtype=torch.float64) / 10
        layers += [Linear(w.to(device, dtype), b.to(device, dtype), input_grad=bool(layers)), ReLU()]
    return Model(layers[:-1], CrossEntropy())


def problem(n=50, device='cpu', sizes=(6, 4, 3)):
    g = torch.Generator().manual_seed(0)
    x, target = torch.randn(n, 6, generator=g).to(device), torch.randint(3, (n,), generator=g).to(device)
    return x, target, model_of(*sizes, device=device)


@pytest.mark.parametrize('sizes', [(6, 3), (6, 4, 3), (6, 8, 4, 3)], ids=str)
def test_training_on_the_device_learns_what_it_sees(device, sizes):
    x, target, model = problem(device=device, sizes=sizes)
    before, held = [p.clone() for p in model.params], list(model.params)
    history = fit(model, x, target, x, target, epochs=30, batch_size=20, lr=.2, momentum=.5)
    assert all(a is b for a, b in zip(model.params, held))   # in place
    assert not any(torch.equal(a, b) for a, b in zip(model.params, before))   # every one of them
    assert all(p.device == x.device and not p.requires_grad for p in model.params)
    assert len(history.loss) == 30 * 3 and len(history.accuracy) == 30   # 20, 20 and 10 rows
    assert history.accuracy[-1] > .5 and sum(history.loss[-3:]) < .95 * sum(history.loss[:3])
    assert history.accuracy[-1] == accuracy(model.predict(x), target)


def as_torch(model):
    net = nn.Sequential(*(nn.Linear(*layer.params[0].shape) if layer.params else nn.ReLU() for layer in model.layers)).to(model.params[0])
    with torch.no_grad():
        for p, value in zip(net.parameters(), model.params): p.copy_(value.t())
    return net


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize('sizes', [(6, 3), (6, 4, 3), (6, 8, 4, 3), (6, 5, 7, 4, 3)], ids=str)
def test_a_hundred_steps_as_pytorch_takes_them(dtype, sizes):
    g = torch.Generator().manual_seed(1)
    x, target = torch.randn(200, 6, generator=g, dtype=torch.float64).to(dtype), torch.randint(3, (200,), generator=g)
    model = model_of(*sizes, dtype=dtype)
    net, start = as_torch(model), [p.clone() for p in model.params]
    history = fit(model, x, target, x, target, epochs=5, batch_size=10, lr=.05, seed=3)
    opt, order, losses = torch.optim.SGD(net.parameters(), lr=.05, momentum=.9), torch.Generator().manual_seed(3), []
    for _ in range(5):
        for i in torch.randperm(200, generator=order).split(10):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), target[i])
            loss.backward()
            opt.step()
            losses.append(loss.item())
    assert len(losses) == len(history.loss) == 100
    apart = max((a - b.t()).abs().max().item() for a, b in zip(model.params, net.parameters()))
    moved = max((a - b).abs().max().item() for a, b in zip(model.params, start))
    assert apart < 1000 * torch.finfo(dtype).eps < moved / 10
    if dtype == torch.float64: assert apart < 1e-10
    torch.testing.assert_close(torch.tensor(history.loss), torch.tensor(losses), rtol=0, atol=1000 * torch.finfo(torch.float32).eps)


def test_the_seed_decides():
    def run(**kw):
        x, target, model = problem()
        return fit(model, x, target, x, target, epochs=2, batch_size=7, **kw).loss
    assert run(seed=1) == run(seed=1) != run(seed=2)


def test_one_image_and_parameters_that_want_gradients():
    x, target, model = problem(1)
    for p in model.params: p.requires_grad_()
    history = fit(model, x, target, x, target, epochs=20)
    assert history.loss[-1] < history.loss[0] and all(p.grad is None for p in model.params)


def test_a_model_trained_twice_goes_on():
    x, target, model = problem()
    first = fit(model, x, target, x, target, epochs=20, lr=.1, momentum=0., batch_size=50)
    second = fit(model, x, target, x, target, epochs=20, lr=.1, momentum=0., batch_size=50)
    assert second.loss[0] < first.loss[-1] < first.loss[0]


def test_fit_refuses_before_it_starts():
    x, target, model = problem()
    before = [p.clone() for p in model.params]
    for wrong in (0, -1):
        with pytest.raises(ValueError, match=f'epochs is {wrong}'): fit(model, x, target, x, target, epochs=wrong)
        with pytest.raises(ValueError, match=f'batch_size is {wrong}'): fit(model, x, target, x, target, batch_size=wrong)
    with pytest.raises(ValueError, match='target runs from'): fit(model, x, target + 1, x, target)
    with pytest.raises(ValueError, match=r'target is \(49,\)'): fit(model, x, target[1:], x, target)
    with pytest.raises(ValueError, match='torch.int64'): fit(model, x.long(), target, x, target)
    with pytest.raises(ValueError, match='lr is 0'): fit(model, x, target, x, target, lr=0)
    with pytest.raises(ValueError, match='logits is'): fit(model, x[:0], target[:0], x, target)
    with pytest.raises(ValueError, match='y_valid'): fit(model, x, target, x, target + 1)
    with pytest.raises(ValueError, match='params is empty'): fit(Model([ReLU()], CrossEntropy()), x, target, x, target)
    assert all(torch.equal(a, b) for a, b in zip(model.params, before))


@pytest.mark.parametrize('lr', [1e9, 1e30])
def test_fit_says_when_it_diverges(lr):
    x, target, model = problem()
    with pytest.warns(UserWarning, match=r'the last loss is (nan|inf): the training has diverged, and a smaller lr may help') as said:
        history = fit(model, x * 1e20, target, x, target, epochs=2, lr=lr)
    assert said[0].filename == __file__ and not math.isfinite(history.loss[-1])


def test_the_default_device_is_left_alone():
    x, target, model = problem()
    try:
        torch.set_default_device('meta')   # whatever is made without a device is of no use
        history = fit(model, x, target, x, target, epochs=1)
    finally: torch.set_default_device(None)
    assert all(math.isfinite(loss) for loss in history.loss)


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


def test_sgd_steps_all_or_none():
    params = [torch.zeros(2, 3), torch.zeros(3)]
    opt = SGD((p for p in params), .1, .5)   # a generator, gone after one look
    for _ in range(2): opt.step(torch.ones_like(p) for p in params)
    for p in params: torch.testing.assert_close(p, torch.full_like(p, -.1 - .15))
    for wrong in ([], [torch.ones(2, 3)], [torch.ones(3), torch.ones(2, 3)], [torch.ones(2, 3), torch.ones(1)], [torch.ones(2, 3), torch.ones(3), torch.ones(1)]):
        with pytest.raises(ValueError, match='grads has shapes .* a gradient for each parameter'): opt.step(wrong)
    for p in params: torch.testing.assert_close(p, torch.full_like(p, -.25))
    with pytest.raises(ValueError, match='params is empty'): SGD([], .1)
    with pytest.raises(ValueError, match='grads has shapes .*NoneType.* a gradient for each parameter'): opt.step([torch.ones(2, 3), None])
    for other in {'w1': params[0]}, [params[0].numpy()]:
        with pytest.raises(ValueError, match='params must be tensors'): SGD(other, .1)


def test_the_progress_bar_ends_where_the_work_does(monkeypatch):
    class Bar:
        def __init__(self, total, unit, leave, file): self.total, self.n, self.said = total, 0, []
        def __enter__(self): bars.append(self); return self
        def __exit__(self, *_): pass
        def update(self): self.n += 1
        def set_description(self, text): self.said.append(text)
    bars = []
    monkeypatch.setattr('fastlesson.train.tqdm', Bar)
    x, target, model = problem()
    history = fit(model, x, target, x, target, epochs=2, batch_size=20)
    assert bars[0].n == bars[0].total == 6
    assert bars[0].said == [f'epoch {i}: {share:.1%} right' for i, share in enumerate(history.accuracy, 1)]


def test_without_standard_error(monkeypatch):
    "As under pythonw: no progress bar, but a model that was trained."
    monkeypatch.setattr('sys.stderr', None)
    x, target, model = problem()
    assert len(fit(model, x, target, x, target, epochs=1, batch_size=20).loss) == 3
