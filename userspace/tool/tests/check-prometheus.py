#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""check-prometheus.py FILE [SAMPLE...]: is it the text format of Prometheus, and has it these samples?

https://prometheus.io/docs/instrumenting/exposition_formats/, and what promtool asks for beyond that. A SAMPLE is a line
without its value, or with it.
"""
import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL})(?:,{LABEL})*)\}})? ([0-9]+(?:\.[0-9]+)?)")


def fail(number, text):
    sys.exit(f"line {number}: {text}")


def main():
    with open(sys.argv[1], "rb") as f:
        raw = f.read()
    text = raw.decode()
    if re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text):
        sys.exit("control characters")
    if not text.endswith("\n"):
        sys.exit("does not end with a newline")
    helps, types, seen, finished = set(), {}, set(), set()
    current = None
    for number, line in enumerate(text[:-1].split("\n"), 1):
        comment = re.fullmatch(rf"# (HELP|TYPE) ({NAME}) (.+)", line)
        if comment:
            kind, name, rest = comment.groups()
            if name != current:
                finished.add(current)
                current = name
            if name in finished:
                fail(number, f"{name} comes in two parts")
            if kind == "HELP":
                if name in helps or re.search(r"\\(?![\\n])", rest):
                    fail(number, f"bad help of {name}")
                helps.add(name)
            else:
                if name in types or rest not in ("gauge", "counter"):
                    fail(number, f"bad type of {name}")
                types[name] = rest
            continue
        sample = SAMPLE.fullmatch(line)
        if not sample:
            fail(number, f"no sample: {line}")
        name, labels, _ = sample.groups()
        if name != current or name not in types or name not in helps:
            fail(number, f"{name} does not follow its description")
        if (types[name] == "counter") != name.endswith("_total"):
            fail(number, f"{name} is a {types[name]}")
        keys = re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="', re.sub(r"\\.", "", labels or ""))
        if len(set(keys)) != len(keys):
            fail(number, "a label twice")
        if (name, labels) in seen:
            fail(number, f"twice: {line}")
        seen.add((name, labels))
    lines = text.split("\n")
    for wanted in sys.argv[2:]:
        if not any(line == wanted or line.rsplit(" ", 1)[0] == wanted for line in lines):
            sys.exit(f"no sample {wanted}")


main()
