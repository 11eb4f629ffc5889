"Compile lesson 11's kernels for a GPU that need not be there: `compile_kernels.py 90` prints what each takes, as JSON."
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from fastlesson import gpu


def compiled(kernel, arch, constants, types, even=(), stages=3, warps=4):
    "Registers of a thread, what it spills, shared memory of a program, in bytes, and whether tensor cores multiply."
    names = kernel.arg_names
    source = ASTSource(kernel, {n: 'constexpr' if n in constants else types.get(n, 'i32') for n in names},
                       constexprs={(names.index(n),): v for n, v in constants.items()},
                       attrs={(names.index(n),): [['tt.divisibility', 16]] for n in names if n in even or types.get(n, '')[:1] == '*'})
    out = triton.compile(source, target=GPUTarget('cuda', arch, 32), options={'num_stages': stages, 'num_warps': warps})
    ptx, name = out.asm['ptx'], f"sm_{arch}{'a' if arch >= 90 else ''}"
    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder, 'kernel.ptx')).write_text(ptx)
        said = subprocess.run([triton.knobs.nvidia.ptxas.path, '-v', f'--gpu-name={name}', path, '-o', path.with_suffix('.cubin')],
                              capture_output=True, text=True, check=True).stderr
    return {'registers': int(re.search(r'Used (\d+) registers', said)[1]), 'spilled': sum(map(int, re.findall(r'(\d+) bytes spill', said))),
            'shared': out.metadata.shared, 'tensor cores': bool(re.search('wgmma.mma' if arch >= 90 else 'mma.sync', ptx))}


def tiled(arch, kind, sizes, stages, warps, even):
    constants = dict(zip(('ROWS', 'COLS', 'INNER'), sizes)) | {'a_col': 1, 'b_col': 1, 'GROUP': 8, 'PRECISION': 'tf32' if kind == 'tf32' else 'ieee'}
    return compiled(gpu._gpu_tiled, arch, constants, dict.fromkeys('abc', '*bf16' if kind == '16 bits' else '*fp32'), even, stages, warps)


def kernels(arch):
    even = 'n', 'k', 'm', 'a_row', 'b_row'
    for dtype in 'fp32', 'bf16', 'fp16':
        yield f'naive {dtype}', compiled(gpu._gpu_naive, arch, {'a_col': 1, 'b_col': 1, 'PIECE': 128}, dict.fromkeys('abc', f'*{dtype}'), even)
    for kind, tiles in gpu.TILES.items():
        for *sizes, stages, warps in tiles: yield f'tiled {kind} {sizes}', tiled(arch, kind, sizes, stages, warps, even)
    floats = dict.fromkeys(('x', 'target', 'w1', 'b1', 'w2', 'b2', 'l1', 'loss', 'w1_grad', 'b1_grad', 'w2_grad', 'b2_grad'), '*fp32')
    for rows in 16, 64:
        for units in 16, 32, 64:
            size = {'PART': 800, 'ROWS': rows, 'INNER': 32, 'UNITS': units}
            for whole in (True, False): yield f'forward {rows} {units} {whole}', compiled(gpu._gpu_forward, arch, size | {'WHOLE': whole}, floats, ('d',))
            yield f'backward {rows} {units}', compiled(gpu._gpu_backward, arch, size, floats, ('d',))
    if arch >= 90:
        for name, kind, (*sizes, stages, warps), even in (('TF32, steps of 64', 'tf32', (128, 256, 64, 3, 8), even), ('float32, 128 × 256', 'ieee', (128, 256, 16, 3, 8), even),
                                                          ('odd strides', '16 bits', (128, 256, 32, 4, 8), ())):
            yield f'refused: {name}', tiled(arch, kind, sizes, stages, warps, even)
        rows, cols, inner, stages, warps = gpu.WIDEST
        blocks = {name: f'tensordesc<bf16[{shape}]>' for name, shape in (('a', f'{rows},{inner}'), ('b', f'{inner},{cols}'), ('c', f'{rows},{cols}'))}
        yield 'persistent', compiled(gpu._gpu_persistent, arch, {'PROGRAMS': 132, 'ROWS': rows, 'COLS': cols, 'INNER': inner, 'GROUP': 8}, blocks, (), stages, warps)


if __name__ == '__main__': print(json.dumps(dict(kernels(int(sys.argv[1])))))
