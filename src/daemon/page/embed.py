#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the C file that holds the status page and openapi.json: embed.py INDEX.HTML OPENAPI.JSON OUTPUT.C

The page's style and script may run, and nothing else: their hashes are its Content-Security-Policy.
"""
import base64
import hashlib
import json
import re
import sys


def hash_of(page, tag):
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.S)
    if len(found) != 1:
        sys.exit(f"the page must have one <{tag}> without attributes, not {len(found)}")
    return "'sha256-" + base64.b64encode(hashlib.sha256(found[0].encode()).digest()).decode() + "'"


def policy_of(page):
    return (f"default-src 'none'; style-src {hash_of(page, 'style')}; script-src {hash_of(page, 'script')}; connect-src 'self'; "
            "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")


def array_of(name, data):
    lines = [", ".join(str(b if b < 128 else b - 256) for b in data[i:i + 32]) for i in range(0, len(data), 32)]
    return f"static const char {name}[] = {{\n" + ",\n".join(lines) + "\n};\n"


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        page = f.read()
    with open(sys.argv[2], encoding="utf-8") as f:
        openapi = json.dumps(json.load(f), separators=(",", ":"), ensure_ascii=False) + "\n"
    with open(sys.argv[3], "w", encoding="utf-8") as f:
        f.write('/* Made by embed.py. */\n#include "daemon/http_priv.h"\n\n')
        f.write(array_of("page", page.encode()) + array_of("openapi", openapi.encode()))
        f.write('const struct http_document daemon_http_page_document = '
                f'{{ page, sizeof(page), "text/html; charset=utf-8", "{policy_of(page)}" }};\n')
        f.write('const struct http_document daemon_http_openapi_document = '
                '{ openapi, sizeof(openapi), "application/json", NULL };\n')


main()
