#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""check-json.py VERB FILE...: are these what the schema says that the verb prints?

Users of the schema have to expect new keys. Here, one that it does not describe is an error, and so is a verb that it
does not have.
"""
import json
import os
import sys

import jsonschema

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../Documentation/cowchain.schema.json")


def forbid_others(node):
    """In place: no object has keys that are not described."""
    if isinstance(node, list):
        for item in node:
            forbid_others(item)
    elif isinstance(node, dict):
        if node.get("type") == "object":
            node["additionalProperties"] = False
        for item in node.values():
            forbid_others(item)


def main():
    verb, files = sys.argv[1], sys.argv[2:]
    with open(SCHEMA, encoding="utf-8") as f:
        schema = json.load(f)
    if verb not in schema["$defs"]:
        sys.exit(f"the schema has no verb {verb}")
    forbid_others(schema["$defs"])
    schema["$ref"] = "#/$defs/" + verb
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    failed = False
    for name in files:
        with open(name, encoding="utf-8") as f:
            value = json.load(f)
        for error in validator.iter_errors(value):
            failed = True
            print(f"{name}: {verb}: {'/'.join(map(str, error.absolute_path))}: {error.message}")
    sys.exit(failed)


main()
