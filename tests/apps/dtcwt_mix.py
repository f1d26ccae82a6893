# SPDX-License-Identifier: MIT
"""Complex wavelets on OpenCL: a digest of every coefficient, and that they are what the CPU's are."""
import hashlib
import sys

import dtcwt
import numpy


def transform(backend, image, levels):
    dtcwt.push_backend(backend)
    try:
        return dtcwt.Transform2d().forward(image, nlevels=levels)
    finally:
        dtcwt.pop_backend()


def main():
    random = numpy.random.RandomState(11)
    for rows, columns, levels in ((64, 64, 3), (96, 160, 4), (32, 50, 2)):
        image = random.rand(rows, columns).astype(numpy.float32)
        ours, expected = transform("opencl", image, levels), transform("numpy", image, levels)
        digest = hashlib.sha256(numpy.ascontiguousarray(ours.lowpass).tobytes())
        close = numpy.allclose(ours.lowpass, expected.lowpass, atol=1e-4)
        for one, other in zip(ours.highpasses, expected.highpasses):
            digest.update(numpy.ascontiguousarray(one).tobytes())
            close = close and numpy.allclose(one, other, atol=1e-4)
        if not close:
            sys.exit(f"{rows}x{columns}: unlike the CPU's")
        print(rows, columns, levels, digest.hexdigest()[:32])


main()
