# SPDX-License-Identifier: MIT
"""A program that never has enough: draws the same picture of the Mandelbrot set again and again with PyOpenCL, until Ctrl-C,
and compares each with the one that NumPy made. All numbers are whole ones, so that they have to be equal."""
import signal
import sys
import time

import numpy
import pyopencl as cl

WIDTH, HEIGHT, ROUNDS, BITS = 384, 256, 512, 28
DEPTH = 6       # pictures under way: the device has no pause, also when this program has one
LEFT, TOP, STEP = -2 << BITS, -1 << BITS, (2 << BITS) // HEIGHT
SOURCE = f"""
kernel void draw(global uint *picture)
{{
    long cx = {LEFT}L + get_global_id(0) * {STEP}L, cy = {TOP}L + get_global_id(1) * {STEP}L, x = 0, y = 0;
    uint round = 0;
    for (; round < {ROUNDS} && x * x + y * y < (4L << {2 * BITS}); round++) {{
        long next = ((x * x - y * y) >> {BITS}) + cx;
        y = ((2 * x * y) >> {BITS}) + cy;
        x = next;
    }}
    picture[get_global_id(1) * {WIDTH} + get_global_id(0)] = round;
}}
"""


def by_numpy():
    cy, cx = numpy.mgrid[0:HEIGHT, 0:WIDTH].astype(numpy.int64) * STEP
    cx, cy = cx + LEFT, cy + TOP
    x, y, picture = numpy.zeros_like(cx), numpy.zeros_like(cy), numpy.zeros((HEIGHT, WIDTH), numpy.uint32)
    for _ in range(ROUNDS):
        inside = x * x + y * y < (4 << 2 * BITS)
        picture += inside
        x, y = numpy.where(inside, ((x * x - y * y) >> BITS) + cx, x), numpy.where(inside, ((2 * x * y) >> BITS) + cy, y)
    return picture


class Turn:
    """A picture under way."""

    def __init__(self, context, queue, draw):
        self.queue, self.draw, self.here = queue, draw, numpy.empty((HEIGHT, WIDTH), numpy.uint32)
        self.there = cl.Buffer(context, cl.mem_flags.WRITE_ONLY, self.here.nbytes)

    def begin(self):
        self.draw(self.queue, (WIDTH, HEIGHT), None, self.there)
        self.done = cl.enqueue_copy(self.queue, self.here, self.there, is_blocking=False)
        self.queue.flush()


def main():
    is_over = []
    signal.signal(signal.SIGINT, lambda *_: is_over.append(True))
    context = cl.Context([cl.get_platforms()[0].get_devices()[0]])
    queue = cl.CommandQueue(context)
    draw = cl.Program(context, SOURCE).build().draw
    turns = [Turn(context, queue, draw) for _ in range(DEPTH)]
    right = by_numpy()
    pictures, wrong, said = 0, 0, time.monotonic()
    for turn in turns:
        turn.begin()
    while not is_over:
        turn = turns[pictures % DEPTH]
        turn.done.wait()
        wrong += not numpy.array_equal(turn.here, right)
        pictures += 1
        turn.begin()
        if time.monotonic() - said >= 1:
            said = time.monotonic()
            print(f"pictures {pictures} wrong {wrong}", flush=True)
    queue.finish()
    print(f"pictures {pictures} wrong {wrong}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
