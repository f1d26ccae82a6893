#!/bin/sh
# SPDX-License-Identifier: MIT
# clblast_tests.sh ROUTINE...: CLBlast's own tests of its routines against a reference BLAS; every line but the device's name.
for routine; do
	echo "== $routine"
	"clblast_test_$routine" 2>&1 | grep -v 'Running on OpenCL device'
done
