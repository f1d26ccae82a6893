# SPDX-License-Identifier: MIT
"""A program that wants more than there is: takes 64 MiB after 64 MiB of the first OpenCL device, until that refuses."""
import sys

import numpy
import pyopencl as cl

MIB = 1 << 20
STEP = 64 * MIB

device = cl.get_platforms()[0].get_devices()[0]
context = cl.Context([device])
queue = cl.CommandQueue(context)
print(f"this device says that it has {device.global_mem_size // MIB} MiB", flush=True)

taken = []
try:
    while len(taken) * STEP < 2 * device.global_mem_size:
        taken.append(cl.Buffer(context, cl.mem_flags.READ_WRITE, STEP))
        cl.enqueue_fill_buffer(queue, taken[-1], numpy.uint8(len(taken)), 0, STEP)
        queue.finish()
except (cl.MemoryError, cl.RuntimeError, cl.LogicError) as refusal:
    print(f"{len(taken) * STEP // MIB} MiB taken, then: {refusal}")
else:
    sys.exit("nobody refused anything")

# What it has already is still good.
for number, buffer in enumerate(taken, 1):
    byte = numpy.empty(1, numpy.uint8)
    cl.enqueue_copy(queue, byte, buffer, src_offset=STEP - 1)
    if byte[0] != number:
        sys.exit(f"buffer {number} holds {byte[0]}")
print(f"the {len(taken)} buffers that it has hold what they held, and it goes on")
