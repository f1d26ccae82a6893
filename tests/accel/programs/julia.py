# SPDX-License-Identifier: MIT
"""A picture of letters, each computed by a work-item.  Nothing here knows of any particular OpenCL."""
import numpy
import pyopencl as cl

WIDTH, HEIGHT = 76, 22
SOURCE = """
kernel void julia(global uchar *out, const int width, const int height, const float2 c)
{
    int x = get_global_id(0), y = get_global_id(1), n = 0;
    float2 z = (float2)(3.2f * x / width - 1.6f, 2.2f * y / height - 1.1f);
    for (; n < 4000 && dot(z, z) < 16.0f; n++)
        z = (float2)(z.x * z.x - z.y * z.y, 2.0f * z.x * z.y) + c;
    out[y * width + x] = n < 8 ? ' ' : n < 12 ? '.' : n < 18 ? ':' : n < 30 ? '+' : n < 4000 ? '*' : '#';
}
"""

device = cl.get_platforms()[0].get_devices()[0]
context = cl.Context([device])
queue = cl.CommandQueue(context)
out = cl.Buffer(context, cl.mem_flags.WRITE_ONLY, WIDTH * HEIGHT)
cl.Program(context, SOURCE).build().julia(queue, (WIDTH, HEIGHT), None, out, numpy.int32(WIDTH), numpy.int32(HEIGHT),
                                          numpy.array((-0.8, 0.156), numpy.float32))
picture = numpy.empty((HEIGHT, WIDTH), numpy.uint8)
cl.enqueue_copy(queue, picture, out)
print("\n".join(bytes(row).decode().rstrip() for row in picture))
