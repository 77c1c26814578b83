#!/usr/bin/env python3
"""Writes tests/data/json_schema from a checkout of json-schema-org/JSON-Schema-Test-Suite (MIT).

    tools/make_json_schema_suite.py FOLDER

FOLDER has the suite's tests/ and LICENSE. A line of each file is a schema with its instances, as text, since numbers of any
length must not be rounded. A schema that does not name its draft gets the name of the folder's, except for the newest one.
"""

import json
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DRAFTS = {"draft2020-12": None, "draft7": "http://json-schema.org/draft-07/schema#"}


def lines_of(folder, draft):
    for path in sorted(folder.rglob("*.json")):
        for group in json.loads(path.read_text()):
            schema = group["schema"]
            if draft and isinstance(schema, dict) and "$schema" not in schema:
                schema = {"$schema": draft} | schema
            tests = [{"text": json.dumps(test["data"], ensure_ascii=False), "valid": test["valid"], "name": test["description"]}
                     for test in group["tests"]]
            line = {"file": str(path.relative_to(folder)), "name": group["description"], "schema": json.dumps(schema),
                    "tests": tests}
            yield json.dumps(line, ensure_ascii=True, separators=(",", ":"))


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    source = pathlib.Path(sys.argv[1])
    target = ROOT / "tests/data/json_schema"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "LICENSE", target / "LICENSE")
    for name, draft in DRAFTS.items():
        (target / f"{name}.jsonl").write_text("\n".join(lines_of(source / "tests" / name, draft)) + "\n")


if __name__ == "__main__":
    main()
