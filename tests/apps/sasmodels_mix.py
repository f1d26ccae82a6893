# SPDX-License-Identifier: MIT
"""What small-angle scattering models give on OpenCL: a digest of each curve, in both precisions."""
import hashlib
import sys

import numpy
from sasmodels.core import load_model
from sasmodels.data import empty_data1D, empty_data2D
from sasmodels.direct_model import DirectModel
from sasmodels.kernelcl import GpuModel

Q = numpy.logspace(-3, -0.5, 101)
MODELS = {"sphere": {"radius_pd": 0.1, "radius_pd_n": 21}, "cylinder": {"length": 300, "radius_pd": 0.2, "radius_pd_n": 9},
          "core_shell_sphere": {}, "lamellar": {}}


def main():
    for name, values in MODELS.items():
        for precision in ("single", "double"):
            model = load_model(name, dtype=precision, platform="ocl")
            if not isinstance(model, GpuModel):
                sys.exit(f"{name}: not on OpenCL")
            data = [empty_data1D(Q)] + ([empty_data2D(Q[:40])] if precision == "single" else [])
            for kind in data:
                curve = numpy.asarray(DirectModel(kind, model)(background=0.01, **values))
                if not (numpy.isfinite(curve).all() and (curve > 0).all()):
                    sys.exit(f"{name}: no curve")
                print(name, precision, curve.size, hashlib.sha256(curve.tobytes()).hexdigest()[:32], flush=True)


main()
