"Wrong answers to the tasks of lesson 1 with words that the report must say, and right ones written in another way."
import torch


def rows_untransposed(a, b): return torch.einsum('ik,kj->ij', a, b)
def rows_turned(a, b): return torch.einsum('ik,jk->ji', a, b)
def rows_paired(a, b): return torch.einsum('ik,ik->ik', a, b)
def rows_unsummed(a, b): return a[:, None] * b
def rows_each_alone(a, b): return a.sum(1).outer(b.sum(1))

def rows_looped(a, b):
    out = a.new_zeros(len(a), len(b))
    for i in range(len(a)):
        for j in range(len(b)): out[i, j] = (a[i] * b[j]).sum()
    return out


def centre_in_a_row(x): return x - x.mean(dim=-1)[None]
def centre_columns(x): return x - x.mean(dim=0, keepdim=True)
def centre_all(x): return x - x.sum() / x.numel()
def centre_in_place(x): return x.sub_(x.mean(1, keepdim=True))
def centre_turned(x): return x.mean(1)[:, None] - x
def centre_sum(x): return x - x.sum(1).unsqueeze(1)


def outer_overwritten(a, b):
    for p in range(a.shape[1]): c = torch.outer(a[:, p], b[p])
    return c

def outer_short(a, b):
    c = 0
    for p in range(a.shape[1] - 1): c = c + torch.outer(a[:, p], b[p])
    return c

def outer_from_one(a, b): return sum(torch.outer(a[:, p], b[p]) for p in range(1, a.shape[1]))
def outer_float(a, b): return sum(torch.outer(a[:, p], b[p]) for p in range(a.shape[1])).float()
def outer_aligned(a, b): return sum(a[:, p] * b[p] for p in range(a.shape[1]))

def outer_by_product(a, b): return torch.matmul(a, b)
def outer_at_once(a, b): return (a[:, :, None] * b).sum(1)

def outer_three_loops(a, b):
    c = a.new_zeros(a.shape[0], b.shape[1])
    for p in range(a.shape[1]):
        for i in range(a.shape[0]):
            for j in range(b.shape[1]): c[i, j] += a[i, p] * b[p, j]
    return c


def columns_by_rows(a, b):
    c = a.new_zeros(len(a), b.shape[1])
    for j in range(b.shape[1]): c[:, j] = (a * b[:, j, None]).sum(1)
    return c

def columns_short(a, b):
    c = a.new_zeros(len(a), b.shape[1])
    for j in range(b.shape[1] - 1): c[:, j] = a @ b[:, j]
    return c

def columns_as_rows(a, b): return torch.stack([a @ column for column in b.T])

def columns_on_cpu(a, b):
    c = torch.zeros(len(a), b.shape[1], dtype=a.dtype, device='cpu')
    for j in range(b.shape[1]): c[:, j] = a @ b[:, j]
    return c

def columns_first(a, b):
    c = a.new_zeros(len(a), b.shape[1])
    for j in range(b.shape[1]):
        c[:, j] = a @ b[:, j]
        return c

def columns_into_rows(a, b):
    c = a.new_zeros(len(a), b.shape[1])
    for j in range(b.shape[1]): c[j] = a @ b[:, j]
    return c

def columns_each_number(a, b):
    c = a.new_zeros(len(a), b.shape[1])
    for j in range(b.shape[1]):
        for i in range(len(a)): c[i, j] = a[i] @ b[:, j]
    return c


def shape_unpadded(a, b):
    if any(s != t and 1 not in (s, t) for s, t in zip(a[::-1], b[::-1])): return None
    return [t if s == 1 else s for s, t in zip(a[::-1], b[::-1])][::-1]

def shape_from_left(a, b):
    n = max(len(a), len(b))
    pairs = list(zip(a + [1] * (n - len(a)), b + [1] * (n - len(b))))
    return None if any(s != t and s != 1 and t != 1 for s, t in pairs) else [s if t == 1 else t for s, t in pairs]

def shape_unchecked(a, b):
    n = max(len(a), len(b))
    return [max(s, t) if 0 not in (s, t) else 0 for s, t in zip([1] * (n - len(a)) + a, [1] * (n - len(b)) + b)]

def shape_largest(a, b):
    n = max(len(a), len(b))
    pairs = list(zip([1] * (n - len(a)) + a, [1] * (n - len(b)) + b))
    return [max(p) for p in pairs] if all(s == t or 1 in (s, t) for s, t in pairs) else None

def shape_raises(a, b): return list(torch.broadcast_shapes(a, b))


def windows_copied(x, size): return torch.stack([x[i:i + size] for i in range(len(x) - size + 1)])
def windows_dense(x, size): return torch.as_strided(x, (len(x) - size + 1, size), (1, 1))
def windows_apart(x, size): return x.as_strided((len(x) - size + 1, size), (size * x.stride(0), x.stride(0)))
def windows_repeated(x, size): return x.as_strided((len(x) - size + 1, size), (0, x.stride(0)))
def windows_short(x, size): return x.as_strided((len(x) - size, size), (x.stride(0),) * 2)


def distances_once(x, y): return (x * x).sum(1, keepdim=True) + (y * y).sum(1) - x.matmul(y.T)
def distances_plus(x, y): return (x[:, None] + y).square().sum(-1)
def distances_root(x, y): return (x[:, None] - y).norm(dim=-1)
def distances_turned(x, y): return (y[:, None] - x).square().sum(-1)
def distances_lengths_in_rows(x, y): return x.square().sum(1) + y.square().sum(1) - 2 * x @ y.T
def distances_lengths_last(x, y): return (x * x).sum(1) - 2 * x @ y.T + (y * y).sum(1)
def distances_in_columns(x, y): return (x * x).sum(1, keepdim=True) + (y * y).sum(1, keepdim=True) - 2 * x @ y.T
def distances_untransposed(x, y): return (x * x).sum(1)[:, None] + (y * y).sum(1) - 2 * x @ y
def distances_of_pairs(x, y): return x - y
def distances_of_all(x, y): return (x[:, None] - y[None]).square().sum(-1)
def distances_given(x, y): return torch.cdist(x, y)**2
def distances_mean(x, y): return (x[:, None] - y).square().mean(-1)


def scores_unscaled(queries, keys): return torch.einsum('bhqd,bhkd->bhqk', queries, keys)
def scores_without_root(queries, keys): return queries @ keys.transpose(-1, -2) / keys.shape[-1]
def scores_by_queries(queries, keys): return torch.einsum('bhqd,bhkd->bhkq', queries, keys) / keys.shape[-1]**.5
def scores_of_one_head(queries, keys): return torch.einsum('bhqd,bhkd->bqk', queries, keys) / keys.shape[-1]**.5
def scores_by_number_of_heads(queries, keys): return torch.einsum('bhqd,bhkd->bhqk', queries, keys) / keys.shape[1]**.5
def scores_by_keys(queries, keys): return torch.einsum('bhqd,bhkd->bhqk', queries, keys) / keys.shape[2]**.5
def scores_by_heads(queries, keys): return torch.einsum('bhqd,bhkd->bhqk', queries, keys) / queries.shape[2]**.5


WRONG = {
    '01.1': [(rows_untransposed, 'einsum'), (rows_turned, 'transposed'), (rows_paired, 'meets only row i'), (rows_unsummed, 'Nothing is summed'),
             (rows_each_alone, 'nothing is paired up'), (rows_looped, 'it loops, where whole tensors would do')],
    '01.2': [(centre_in_a_row, 'still lie in a row'), (centre_columns, 'mean of each column'), (centre_all, 'one mean of all numbers'),
             (centre_in_place, 'changes its argument `x`'), (centre_turned, 'sign is wrong'), (centre_sum, 'not the mean')],
    '01.3': [(outer_overwritten, 'Only the last p'), (outer_short, 'last p is missing'), (outer_from_one, 'first p is missing'),
             (outer_float, 'type of the inputs is lost'), (outer_aligned, 'has to stand as a column'), (outer_by_product, 'without `mm`'),
             (outer_at_once, 'a tensor of 1001 numbers is made'), (outer_three_loops, 'it loops, where whole tensors would do')],
    '01.4': [(columns_by_rows, 'meets *row* p'), (columns_short, 'last column is missing'), (columns_as_rows, 'transposed'),
             (columns_on_cpu, 'mixes devices'), (columns_first, 'Only the first column'), (columns_into_rows, 'It is transposed'), (columns_each_number, 'it loops, where whole tensors would do')],
    '01.5': [(shape_unpadded, 'cut off'), (shape_from_left, 'with `a` = [5, 1, 784], `b` = [10, 784], it is `None`, and should be `[5, 10, 784]`'), (shape_unchecked, 'let through'),
             (shape_largest, 'where a 1 meets a 0'), (shape_raises, 'return `None` instead of an error')],
    '01.6': [(windows_copied, 'they are copied'), (windows_dense, 'taken to be 1'), (windows_apart, 'should start one further on'),
             (windows_repeated, 'All windows are the first'), (windows_short, 'last window is missing')],
    '01.7': [(distances_once, 'taken twice'), (distances_plus, 'subtracted, not added'), (distances_root, 'leave out the square root'),
             (distances_turned, 'transposed'), (distances_lengths_in_rows, 'of `x` lie in a row, `(n,)`'),
             (distances_lengths_last, 'of `x` lie in a row: as'), (distances_in_columns, 'of `y` stand in a column'), (distances_untransposed, 'wrong in the one case where it runs'),
             (distances_of_pairs, 'row i of `y` only'), (distances_of_all, 'a tensor of 1001 numbers is made'), (distances_given, 'without `_cdist_forward`'), (distances_mean, 'too small by the factor')],
    '01.8': [(scores_unscaled, 'division by $\\sqrt d$'), (scores_without_root, 'not by its square root'), (scores_by_queries, 'transposed'),
             (scores_of_one_head, 'heads are summed'), (scores_by_heads, 'root of another size'),
             (scores_by_number_of_heads, 'number of heads'), (scores_by_keys, 'number of keys')],
}
OTHER = {
    '01.1': lambda a, b: a @ b.T,
    '01.2': lambda x: x - (x.sum(1) / x.shape[1]).unsqueeze(-1),
    '01.3': lambda a, b: sum(torch.outer(column, row) for column, row in zip(a.T, b)),
    '01.4': lambda a, b: torch.stack([a @ column for column in b.T], 1),
    '01.5': lambda a, b: next((tuple((torch.empty(a, device='meta') + torch.empty(b, device='meta')).shape) for _ in '1'
                               if all(s == t or 1 in (s, t) for s, t in zip(a[::-1], b[::-1]))), None),
    '01.6': lambda x, size: x.unfold(0, size, 1),
    '01.7': lambda x, y: torch.baddbmm(x.pow(2).sum(1)[None, :, None] + y.pow(2).sum(1), x[None], y.T[None], alpha=-2)[0],
    '01.8': lambda queries, keys: queries @ keys.mT / keys.shape[-1]**.5,
}
