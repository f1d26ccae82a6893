#!/usr/bin/python3 -S
# SPDX-License-Identifier: MIT
"""Stands in for "tranche-executor --devices" and "tranche-device --list --json"; by which name it is called says what it does."""
import json
import os
import sys
import time

DEVICES = {"devices": [
    {"index": 0, "kind": "cpu", "name": "Fake \u00e9", "vendor": "v", "driver": "3.1", "version": "OpenCL 3.0", "platform": "P",
     "memory": 1 << 33, "units": 2},
    {"index": 1, "kind": "accelerator", "name": "x" * 500, "memory": -5, "units": "many"},
    {"index": 2}]}
DRIVERS = {"drivers": [
    {"name": "mtty", "capacity": {"units": 24}, "types": [
        {"name": "1", "pretty_name": "One", "description": "d", "device_api": "vfio-pci", "cost": {"units": 1, "time": 2},
         "adjustable": ["memory", "units", 3]}], "keys": [{"name": "line0", "values": "pty", "help": "h"}]},
    {"name": "bare", "types": []}]}

name = os.path.basename(sys.argv[0])
if name == "hangs":
    time.sleep(60)
elif name == "hangs-below":  # it ends, what it has started does not, and keeps the pipe
    if os.fork():
        print(json.dumps(DEVICES))
    else:
        time.sleep(60)
elif name == "long":
    while True:
        os.write(1, b" " * 65536)
elif name == "broken":
    print(json.dumps(DEVICES)[:-3])
elif name == "no-list":
    print("{}")
elif name == "bad-types":
    print(json.dumps({"drivers": [{"name": "x", "types": 7}]}))
elif name == "fails":
    print(json.dumps(DEVICES), flush=True)
    sys.exit(4)
elif "--devices" in sys.argv:
    print(json.dumps(DEVICES))
else:
    print(json.dumps(DRIVERS))
