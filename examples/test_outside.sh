#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the development files into a scratch folder, and builds and runs each example from there alone.
# Usage: test_outside.sh EXAMPLES_DIR BUILD_DIR
set -eu

examples=$1
build=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

meson install -C "$build" --no-rebuild --tags devel,runtime --destdir "$scratch/root" >"$scratch/log" ||
	{ cat "$scratch/log"; exit 1; }
pc=$(find "$scratch/root" -name tranche.pc)
lib=$(dirname "$(find "$scratch/root" -name 'libtranche.so.*' -type f)")

cp -r "$examples/counter" "$scratch/counter"
export PKG_CONFIG_LIBDIR="${pc%/*}" PKG_CONFIG_SYSROOT_DIR="$scratch/root"
make -s -C "$scratch/counter" CFLAGS='-O2 -Wall -Wextra -Werror'
LD_LIBRARY_PATH=$lib "$scratch/counter/counter" >"$scratch/out"
cat "$scratch/out"
test "$(grep -c ' counts [012]$' "$scratch/out")" = 3
test "$(wc -l <"$examples/counter/counter.c")" -lt 150
