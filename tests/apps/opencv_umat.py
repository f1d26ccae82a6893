# SPDX-License-Identifier: MIT
"""OpenCV's transparent OpenCL: a 1080p picture through blur, gray, resize and threshold.

Prints a digest of each step's picture, computed on the OpenCL device.
"""
import hashlib
import sys

import cv2
import numpy


def show(name, picture):
    pixels = numpy.ascontiguousarray(picture.get())
    print(name, pixels.shape, hashlib.sha256(pixels.tobytes()).hexdigest()[:32], flush=True)


def main():
    cv2.ocl.setUseOpenCL(True)
    if not cv2.ocl.haveOpenCL() or not cv2.ocl.useOpenCL():
        sys.exit("OpenCV does not use OpenCL here")
    device = cv2.ocl.Device.getDefault()
    if not device.available():
        sys.exit("OpenCV found no OpenCL device")
    numpy.random.seed(3)
    picture = cv2.UMat(numpy.random.randint(0, 256, (1080, 1920, 3), dtype=numpy.uint8))
    blurred = cv2.GaussianBlur(picture, (5, 5), 1.2)
    show("blur", blurred)
    gray = cv2.cvtColor(blurred, cv2.COLOR_BGR2GRAY)
    show("gray", gray)
    small = cv2.resize(gray, (640, 360), interpolation=cv2.INTER_LINEAR)
    show("resize", small)
    _, mask = cv2.threshold(small, 127, 255, cv2.THRESH_BINARY)
    show("threshold", mask)


main()
