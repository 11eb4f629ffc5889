"Wrong answers to the tasks of lesson 10 with words that the report must say, and right ones written in another way."
from functools import lru_cache

import torch


def no_bias(n, d, h, width): return 2 * n * d * h / width / (n * (d + h) + d * h)
def half(n, d, h, width): return n * h * (d + 1) / width / (n * (d + h) + (d + 1) * h)
def only_read(n, d, h, width): return n * h * (2 * d + 1) / width / (n * d + (d + 1) * h)
def per_number(n, d, h, width): return n * h * (2 * d + 1) / (n * (d + h) + (d + 1) * h)
def with_ones(n, d, h, width): # the bias as one more row of the weight
    numbers = {'x': n * d, 'w and b': (d + 1) * h, 'y': n * h}
    return (2 * n * (d + 1) * h - n * h) / (width * sum(numbers.values()))

def added(gflop, gb, peak, bandwidth): return gb / bandwidth + gflop / peak
def faster_one(gflop, gb, peak, bandwidth): return sorted((gb / bandwidth, gflop / peak))[0]
def arithmetic(gflop, gb, peak, bandwidth): return 1 / peak * gflop
def rate(gflop, gb, peak, bandwidth): return min(gflop / gb * bandwidth, peak)
def by_the_roof(gflop, gb, peak, bandwidth): return gflop / min(peak, gflop / gb * bandwidth)

def overwritten(a, b, size):
    c = a.new_empty(a.shape[0], b.shape[1])
    for p in range(0, a.shape[1], size):
        for i in range(0, a.shape[0], size): c[i:i + size] = a[i:i + size, p:p + size] @ b[p:p + size]
    return c
def whole_blocks(a, b, size):
    c = torch.zeros_like(a[:, :1] @ b[:1])
    for i in range(a.shape[0] // size):
        for j in range(b.shape[1] // size):
            for p in range(b.shape[0] // size):
                rows, columns, inner = (slice(q * size, q * size + size) for q in (i, j, p))
                c[rows, columns] += a[rows, inner] @ b[inner, columns]
    return c
def wrong_block(a, b, size):
    return sum(a[:, p:p + size] @ b[:size] for p in range(0, len(b), size))
def in_float(a, b, size):
    c = torch.zeros(a.shape[0], b.shape[1])
    for p in range(0, len(b), size): c = c + a[:, p:p + size] @ b[p:p + size]
    return c.float()
def cut_up(a, b, size):
    rows = [sum(left @ right for left, right in zip(part.split(size, 1), b.split(size))) for part in a.split(size)]
    return torch.cat(rows)

def first_in(numbers, lines, line):
    held, missed = dict(), 0
    for q in numbers:
        if q // line in held: continue
        missed += 1
        held[q // line] = None
        if len(held) > lines: held.pop(next(iter(held)))
    return missed
def no_lines(numbers, lines, line): return least_recent(numbers, lines, 1)
def endless(numbers, lines, line): return len(set(q // line for q in numbers))
def hits(numbers, lines, line):
    fetch = lru_cache(lines)(int)
    for q in numbers: fetch(q // line)
    return fetch.cache_info().hits
def least_recent(numbers, lines, line):
    fetch = lru_cache(lines)(int)
    for q in numbers: fetch(q // line)
    return fetch.cache_info().misses

def tiles(registers): return [(r, v) for v in range(1, registers) for r in range(1, registers)]
def vectors(registers, width): return max((t for t in tiles(registers) if (t[0] + 1) * t[1] < registers), key=lambda t: 1 / (1 / t[0] + 1 / t[1]))
def sums_only(registers, width):
    r, v = max((t for t in [(r, v) for r in range(1, registers + 1) for v in range(1, registers + 1)] if t[0] * t[1] <= registers), key=lambda t: t[0] * t[1] / sum(t))
    return r, width * v
def largest(registers, width):
    r, v = max(((r, v) for r in range(1, registers) for v in range(1, registers) if (r + 1) * v < registers), key=lambda t: t[0] * t[1])
    return r, width * v
def turned(registers, width): return harmonic(registers, width)[::-1]
def harmonic(registers, width):
    r, v = vectors(registers, width)
    return r, width * v

def only_viewed(b, width): return torch.nn.functional.pad(b, (0, -b.shape[1] % width)).reshape(-1, b.shape[0], width)
def cut(b, width): return torch.stack([*b.unfold(1, width, width).unbind(1)])
def lies_apart(b, width): return torch.nn.functional.pad(b, (0, -b.shape[1] % width)).unfold(1, width, width).movedim(1, 0)
def of_rows(b, width): return panel_by_panel(b.mT, width)
def panel_by_panel(b, width):
    panels = b.new_zeros((b.shape[1] + width - 1) // width, b.shape[0], width)
    for panel, part in zip(panels, b.split(width, 1)): panel[:, :part.shape[1]] = part
    return panels


WRONG = {
    '10.1': [(no_bias, 'The bias is missing: its additions'), (half, 'two operations'), (only_read, 'has to be written'), (per_number, '`width` bytes')],
    '10.2': [(added, 'They overlap'), (faster_one, 'not the shorter'), (arithmetic, 'also where memory takes longer'), (rate, 'This is a rate')],
    '10.3': [(overwritten, 'its last product only'), (whole_blocks, 'left over at the edges'), (wrong_block, 'It raises'), (in_float, 'torch.float32')],
    '10.4': [(first_in, '*fetched* first'), (no_lines, 'fetches a whole line'), (endless, 'Nothing is ever dropped'), (hits, 'These are the hits')],
    '10.5': [(vectors, 'number of vectors'), (sums_only, 'need registers as well'), (largest, 'largest tile that fits'), (turned, 'what the number of columns should be')],
    '10.6': [(only_viewed, 'run over the panels'), (cut, 'left over are missing'), (lies_apart, 'still lie apart'), (of_rows, 'these are rows')]}
OTHER = {'10.1': with_ones, '10.2': by_the_roof, '10.3': cut_up, '10.4': least_recent, '10.5': harmonic, '10.6': panel_by_panel}
