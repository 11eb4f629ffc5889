"Wrong answers to the tasks of lesson 11 with words that the report must say, and right ones written in another way."
import math

import torch
from torch.nn import functional as F


def rounded_down(n, m, rows, cols): return int(n / rows) * int(m / cols)
def one_more(n, m, rows, cols): return (1 + n // rows) * (1 + m // cols)
def by_area(n, m, rows, cols): return math.ceil(n * m / (rows * cols))
def rounded(n, m, rows, cols): return max(1, round(n / rows)) * max(1, round(m / cols))
def counted(n, m, rows, cols): return len(range(0, n, rows)) * len(range(0, m, cols))

def cut_off(x, i, j, rows, cols): return x.narrow(0, i * rows, min(rows, len(x) - i * rows))[:, j * cols:j * cols + cols]
def clamped(x, i, j, rows, cols):
    return torch.stack([x[min(p, len(x) - 1), [min(q, x.shape[1] - 1) for q in range(j * cols, j * cols + cols)]] for p in range(i * rows, i * rows + rows)])
def masked_rows_only(x, i, j, rows, cols):
    memory = F.pad(x.flatten(), (0, rows * x.shape[1] + cols))
    return torch.stack([memory[p * x.shape[1] + j * cols:][:cols] for p in range(i * rows, i * rows + rows)])
def at_entry(x, i, j, rows, cols): return F.pad(x, (0, cols, 0, rows))[i:i + rows, j:j + cols]
def on_the_cpu(x, i, j, rows, cols):
    tile, part = torch.zeros(rows, cols), x[i * rows:i * rows + rows, j * cols:j * cols + cols]
    tile[:part.shape[0], :part.shape[1]] = part
    return tile
def padded(x, i, j, rows, cols): return F.pad(x, (0, cols, 0, rows))[i * rows:, j * cols:][:rows, :cols]

def only_reads(n, width, extra): return sum(n * width * (1 + e) for e in extra), n * width * (1 + sum(extra))
def in_numbers(n, width, extra): return sum(n * (2 + e) for e in extra), n * (2 + sum(extra))
def nothing_saved(n, width, extra): return (total := sum(n * width * (2 + e) for e in extra)), total
def swapped(n, width, extra): return stepwise(n, width, extra)[::-1]
def stepwise(n, width, extra):
    apart = fused = 0
    for step, others in enumerate(extra):
        apart += n * width * (others + 2)
        fused += n * width * (others + (step == 0) + (step == len(extra) - 1))
    return apart, fused


WRONG = {
    '11.1': [(rounded_down, 'round up, not down'), (one_more, 'one program too many'), (by_area, 'in each direction'), (rounded, 'wrong in 2 of 5 cases')],
    '11.2': [(cut_off, 'the tile ends'), (clamped, 'repeats the last'), (masked_rows_only, 'columns need a mask'), (at_entry, 'count tiles'), (on_the_cpu, 'torch.float32')],
    '11.3': [(only_reads, 'Results have to be written'), (in_numbers, 'the bytes of one'), (nothing_saved, 'stay in registers'), (swapped, 'the traffic of the single kernel should be')]}
OTHER = {'11.1': counted, '11.2': padded, '11.3': stepwise}
