#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Run one OpenCL test program, natively or under a wrapper command.

    run.py PROGRAM [ARG...]                         natively
    run.py --wrapper 'tranche run --' PROGRAM ...   on the virtual device
    run.py --wrapper ... --compare PROGRAM ...      both, and standard output must be equal
    run.py --native-first ...                       natively before, with one folder for both: CL_TEST_FOLDER
    run.py --beside LIBRARY ...                     with another driver beside the machine's own ones

Exit status: the program's own (0 passed, 1 failed, 77 skipped); 1 for a
signal, a time-out or different output. With any wrapper but `env` the program
is told to fail, not skip, when it finds the host's own driver.
"""
import argparse
import contextlib
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

NATIVE_TRIES = 4


def run(command, env, timeout, capture):
    """Run in a session of its own, so that a time-out takes children along."""
    out = subprocess.PIPE if capture else None
    with subprocess.Popen(command, env=env, stdout=out, start_new_session=True) as process:
        try:
            text, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            print(f'run.py: no end after {timeout} s: {shlex.join(command)}', file=sys.stderr)
            return 1, b''
    status = process.returncode
    if status < 0:
        print(f'run.py: ended by {signal.Signals(-status).name}: {shlex.join(command)}', file=sys.stderr)
    return status, text


def run_natively(command, env, timeout, capture):
    """The host's own driver crashes now and then in programs that are right: that says nothing about ours."""
    for _ in range(NATIVE_TRIES - 1):
        status, text = run(command, env, timeout, capture)
        if status >= 0:
            return status, text
    return run(command, env, timeout, capture)


@contextlib.contextmanager
def beside(library, env):
    """Shows the loader one more driver than the machine's vendors folder does."""
    with tempfile.TemporaryDirectory(prefix='vendors-') as folder:
        for icd in pathlib.Path('/etc/OpenCL/vendors').glob('*.icd'):
            shutil.copy(icd, folder)
        pathlib.Path(folder, 'beside.icd').write_text(f'{library}\n', encoding='ascii')
        env.update(OCL_ICD_VENDORS=folder, CL_TEST_MIXED='1')
        yield


def first_difference(ours, native):
    for number, (a, b) in enumerate(zip(ours.splitlines(), native.splitlines()), 1):
        if a != b:
            return f'line {number}: {a!r}, natively {b!r}'
    return f'{len(ours)} bytes, natively {len(native)}'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--wrapper', default='', help='command put before the program')
    parser.add_argument('--compare', action='store_true', help='standard output must equal the native one')
    parser.add_argument('--native-first', action='store_true', help='run natively before, with a folder for both')
    parser.add_argument('--cache', help='folder for the native driver\'s compiled kernels')
    parser.add_argument('--beside', help='library of a driver that has no .icd file; skips without it')
    parser.add_argument('--timeout', type=float, default=150)
    parser.add_argument('program', nargs=argparse.REMAINDER)
    args = parser.parse_args()
    if not args.program:
        parser.error('no program given')

    env = dict(os.environ)
    if args.cache:
        os.makedirs(args.cache, exist_ok=True)
        env['POCL_CACHE_DIR'] = args.cache
    if args.beside and not os.path.exists(args.beside):
        print(f'there is no {args.beside}')
        return 77
    with (beside(args.beside, env) if args.beside else contextlib.nullcontext(),
          tempfile.TemporaryDirectory(prefix='cl-test-') as folder):
        if args.native_first:
            env['CL_TEST_FOLDER'] = folder
            status, _ = run_natively(args.program, env, args.timeout, False)
            if status:
                print('run.py: the native run failed', file=sys.stderr)
                return 1
        return run_both(args, env)


def run_both(args, env):
    wrapper = shlex.split(args.wrapper)
    wrapped_env = dict(env)
    if wrapper and os.path.basename(wrapper[0]) != 'env':
        wrapped_env['CL_TEST_EXPECT'] = 'virtual'
    run_ours = run if wrapper else run_natively
    status, ours = run_ours(wrapper + args.program, wrapped_env, args.timeout, args.compare)
    if status or not args.compare:
        return status if status >= 0 else 1
    if not wrapper:
        sys.stdout.buffer.write(ours)
        return 0
    status, native = run_natively(args.program, env, args.timeout, True)
    if status:
        print('run.py: the native run failed', file=sys.stderr)
        return 1
    if ours != native:
        print(f'run.py: standard output differs: {first_difference(ours, native)}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
