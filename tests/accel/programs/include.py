# SPDX-License-Identifier: MIT
"""A program whose kernels include headers of the machine that it runs on."""
import os
import tempfile

import numpy
import pyopencl

SOURCE = """
#include "outer.h"
#define QUOTE(x) #x
#define HEADER QUOTE(late.h)
#include HEADER
kernel void k(global int *p) { p[0] = OUTER; p[1] = LATE; }
"""


def main():
    context = pyopencl.Context(pyopencl.get_platforms()[0].get_devices()[:1])
    queue = pyopencl.CommandQueue(context)
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/sub")
        for name, text in (("outer.h", '#include "sub/inner.h"\n#define OUTER INNER\n'), ("sub/inner.h", "#define INNER 42\n"),
                           ("late.h", "#define LATE 43\n")):
            with open(f"{folder}/{name}", "w", encoding="ascii") as f:
                f.write(text)
        program = pyopencl.Program(context, SOURCE).build(options=[f"-I{folder}"])
    out = numpy.zeros(2, numpy.int32)
    buffer = pyopencl.Buffer(context, pyopencl.mem_flags.READ_WRITE, out.nbytes)
    program.k(queue, (1,), None, buffer)
    pyopencl.enqueue_copy(queue, out, buffer)
    print("included:", *out)


main()
