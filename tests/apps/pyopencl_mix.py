# SPDX-License-Identifier: MIT
"""What pyopencl programs do: elementwise, reduction, scan, a raw kernel, printf.

Prints a digest of each result; a result that is wrong on its own ends the program.
"""
import hashlib
import os
import sys

import numpy
import pyopencl
import pyopencl.array
from pyopencl.elementwise import ElementwiseKernel
from pyopencl.reduction import ReductionKernel
from pyopencl.scan import InclusiveScanKernel

COUNT = 100_003      # not a multiple of any work-group size

RAW = """
kernel void rotate_words(global uint *data, const uint shift, local uint *scratch)
{
    size_t l = get_local_id(0);
    scratch[l] = data[get_global_id(0)];
    barrier(CLK_LOCAL_MEM_FENCE);
    data[get_global_id(0)] = rotate(scratch[get_local_size(0) - 1 - l], shift);
}

kernel void speak(const int answer)
{
    printf("kernel says %d, %s, %.3f\\n", answer, "text", 0.125f * answer);
    printf("and a vector %v4hld\\n", (int4)(1, 2, 3, answer));
}
"""


def show(name, array, expected):
    if not numpy.array_equal(array, expected):
        sys.exit(f"{name}: wrong result")
    print(name, hashlib.sha256(numpy.ascontiguousarray(array).tobytes()).hexdigest()[:32], flush=True)


def main():
    context = pyopencl.Context(pyopencl.get_platforms()[0].get_devices()[:1])
    queue = pyopencl.CommandQueue(context)
    random = numpy.random.RandomState(7)
    x = random.randint(-1000, 1000, COUNT).astype(numpy.int32)
    y = random.randint(-1000, 1000, COUNT).astype(numpy.int32)
    dev_x, dev_y = pyopencl.array.to_device(queue, x), pyopencl.array.to_device(queue, y)

    out = pyopencl.array.empty_like(dev_x)
    combine = ElementwiseKernel(context, "int *x, int *y, int *z", "z[i] = 3 * x[i] - y[i]", "combine")
    combine(dev_x, dev_y, out)
    show("elementwise", out.get(), 3 * x - y)

    dot = ReductionKernel(context, numpy.int32, neutral="0", reduce_expr="a + b", map_expr="x[i] * y[i]",
                          arguments="__global const int *x, __global const int *y")
    show("reduction", dot(dev_x, dev_y).get(), numpy.dot(x, y))

    sums = pyopencl.array.empty_like(dev_x)
    InclusiveScanKernel(context, numpy.int32, "a + b", neutral="0")(dev_x, output_ary=sums)
    show("scan", sums.get(), numpy.cumsum(x, dtype=numpy.int32))

    program = pyopencl.Program(context, RAW).build(options=["-cl-std=CL1.2"])
    words = random.randint(0, 2**31, 4096).astype(numpy.uint32)
    buffer = pyopencl.Buffer(context, pyopencl.mem_flags.READ_WRITE | pyopencl.mem_flags.COPY_HOST_PTR, hostbuf=words)
    program.rotate_words(queue, (4096,), (64,), buffer, numpy.uint32(5), pyopencl.LocalMemory(4 * 64))
    result = numpy.empty_like(words)
    pyopencl.enqueue_copy(queue, result, buffer)
    turned = words.reshape(-1, 64)[:, ::-1].reshape(-1)
    show("raw kernel", result, (turned << numpy.uint32(5)) | (turned >> numpy.uint32(27)))

    sys.stdout.flush()
    program.speak(queue, (1,), (1,), numpy.int32(42))
    queue.finish()
    # The kernel's text goes to descriptor 1 past Python's buffer; it has to be there by now.
    os.write(1, b"after the kernel\n")


main()
