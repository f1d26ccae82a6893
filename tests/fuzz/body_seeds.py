#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes bodies of requests to tranched, as seeds for the fuzzer: body_seeds.py FOLDER"""
import json
import os
import sys

UUID = "10000000-2000-4000-8000-000000000001"
PLACE = {"uuid": UUID, "parent": "cpu0", "type": "compute-custom"}
SEEDS = {
    "empty": {},
    "place": PLACE,
    "all": {**PLACE, "start": "auto", "memory": 1 << 30, "time": 12.5, "owner": 1000, "vm": "web1", "attrs": [{"memory": "512M"}],
            "options": {"line0": "pty:/x"}, "running": True},
    "device": {**PLACE, "lifetime": "process", "owner": "root"},
    "live": {"memory": 1 << 20, "time": None, "attrs": [{"time": "12.5%\n"}, {"owner": "0"}, {"vm": "x"}, {"memory": "1.5G"}]},
    "nulls": {"memory": None, "time": None, "owner": None, "vm": None, "attrs": None, "options": None},
    "wrong": {**PLACE, "memory": -1, "time": 1e308, "vm": "\u0000", "attrs": [{"a": "b", "c": "d"}]},
    "array": [PLACE],
    "huge": {**PLACE, "attrs": [{"memory": "9223372036854775808"}]},
}

os.makedirs(sys.argv[1], exist_ok=True)
for name, value in SEEDS.items():
    with open(os.path.join(sys.argv[1], name), "w", encoding="utf-8") as f:
        json.dump(value, f)
