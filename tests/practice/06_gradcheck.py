"Wrong answers to the tasks of lesson 6 with words that the report must say, and right ones written in another way."
import torch


def moved(x, i, by):
    x = x.clone()
    x.view(-1)[i] += by
    return x

def by_entry(slope):
    "A gradient made of `slope(fn, x, i, step)`."
    def numeric(fn, x, step): return torch.stack([slope(fn, x, i, step) for i in range(x.numel())]).reshape(x.shape)
    return numeric

forwards = by_entry(lambda fn, x, i, s: (fn(moved(x, i, s)) - fn(x)) / s)
backwards = by_entry(lambda fn, x, i, s: (fn(x) - fn(moved(x, i, -s))) / s)
single_width = by_entry(lambda fn, x, i, s: (fn(moved(x, i, s)) - fn(moved(x, i, -s))) / s)
undivided = by_entry(lambda fn, x, i, s: fn(moved(x, i, s)) - fn(moved(x, i, -s)))
downhill = by_entry(lambda fn, x, i, s: (fn(moved(x, i, -s)) - fn(moved(x, i, s))) / s / 2)
def all_at_once(fn, x, step): return (fn(x + step) - fn(x - step)) / (2 * step) * torch.ones_like(x)

def not_put_back(fn, x, step):
    grad = torch.zeros_like(x)
    for i in range(x.numel()):
        x.view(-1)[i] += step
        up = fn(x)
        x.view(-1)[i] -= 2 * step
        grad.view(-1)[i] = (up - fn(x)) / (2 * step)
        x.view(-1)[i] += step * (1 + 1e-3)
    return grad


def sum_of_errors(grad, right, tol): return grad.shape == right.shape and bool(abs((grad - right).sum()) <= tol * right.abs().max())
def absolute(grad, right, tol): return grad.shape == right.shape and bool(((grad - right).abs() <= tol).all())
def nan_passes(grad, right, tol): return grad.shape == right.shape and not bool(((grad - right).abs() > tol * right.abs().max()).any())
def any_shape(grad, right, tol): return bool(((grad - right).abs() <= tol * right.abs().max()).all())
def mean_error(grad, right, tol): return grad.shape == right.shape and bool((grad - right).abs().mean() <= tol * right.abs().max())
def signed(grad, right, tol): return grad.shape == right.shape and bool(((grad - right) <= tol * right.abs().max()).all())
def unmended(grad, right, tol): return not bool((grad - right).sum() > tol)


def mean_of_ratios(grad, right): return (grad / right).mean()
def ratio_of_lengths(grad, right): return (grad * grad).sum().sqrt() / (right * right).sum().sqrt()
def turned(grad, right): return torch.sum(grad * right) / torch.sum(grad**2)
def cosine(grad, right): return torch.nn.functional.cosine_similarity(grad.flatten(), right.flatten(), dim=0)
def ratio_of_sums(grad, right): return grad.mean() / right.mean()
def by_row(grad, right): return (grad * right).sum(1) / (right * right).sum(1)
def number(grad, right): return ((grad * right).sum() / (right * right).sum()).item()


WRONG = {
    '06.1': [(forwards, 'one-sided difference, forwards'), (backwards, 'one-sided difference, backwards'), (single_width, '2 × `step` apart'),
             (undivided, 'divided by the distance'), (downhill, 'sign is wrong'), (all_at_once, 'All entries are moved at once'),
             (not_put_back, 'changes its argument `x`')],
    '06.2': [(sum_of_errors, 'cancel in this sum'), (absolute, 'tolerance is absolute'), (nan_passes, 'A NaN passes'), (any_shape, 'broadcast against the other'),
             (mean_error, 'not the mean one'), (signed, 'below zero pass'), (unmended, 'Nothing is mended')],
    '06.3': [(mean_of_ratios, 'mean of the ratios'), (ratio_of_lengths, 'ratio of the lengths'), (turned, 'the other way round'), (cosine, 'cosine'),
             (ratio_of_sums, 'ratio of sums'), (by_row, 'shape'), (number, 'should return a tensor')],
}
OTHER = {
    '06.1': lambda fn, x, step: torch.stack([fn(x + step * d) / (2 * step) - fn(x - step * d) / (2 * step) for d in torch.eye(x.numel(), dtype=x.dtype, device=x.device).view(-1, *x.shape)]).view_as(x),
    '06.2': lambda grad, right, tol: grad.shape == right.shape and (grad - right).norm(float('inf')).item() <= tol * right.norm(float('inf')).item(),
    '06.3': lambda grad, right: torch.einsum('nd,nd->', grad, right) / right.norm()**2,
}
