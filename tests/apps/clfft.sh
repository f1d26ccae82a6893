#!/bin/sh
# SPDX-License-Identifier: MIT
# clFFT's own client over shapes, precisions and directions: what it says of each result, which it checks itself.
for shape in "-x 64" "-x 1024 --double" "-x 1000 --outPlace" "-x 64 -y 32" "-x 30 -y 14" "-x 16 -y 15 -z 9 --double" \
	"-x 256 -b 5 --inLayout 5 --outLayout 3 --outPlace"; do
	printf '%s: ' "$shape"
	# What else it prints names the device and temporary folders.
	# shellcheck disable=SC2086 # words
	clFFT-client --cpu $shape 2>/dev/null | grep -o '\*\*\*[A-Z]*\*\*\*' || echo "no verdict"
done
