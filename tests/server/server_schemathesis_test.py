#!/usr/bin/env python3
"""Requests that Schemathesis makes up from our own description (/openapi.json), right ones and wrong ones: none is answered
with a server's error, and what is answered is described. OGAS_SCHEMATHESIS_EXAMPLES: how many an endpoint (10).
"""

import json
import os
import pathlib
import subprocess
import sys
import urllib.request

from server_program import SECONDS, ServerTest, main

EXAMPLES = os.environ.get("OGAS_SCHEMATHESIS_EXAMPLES", "10")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


class SchemathesisTest(ServerTest):
    OPTIONS = ("--ctx", "64")  # what is tested is what is asked, not how long an answer gets
    CHECKS_SCHEMA = False

    def test_no_request_fails_the_server(self):
        tool = pathlib.Path(sys.executable).parent / "schemathesis"
        address = "http://{}:{}".format(*self.server.address)
        result = subprocess.run(
            [tool, "run", address + "/openapi.json", "--checks", CHECKS, "--max-examples", EXAMPLES, "--phases",
             "examples,coverage,fuzzing", "--seed", "7", "--no-color", "--workers", "1", "--request-timeout", str(SECONDS),
             "--continue-on-failure", "--warnings", "off", "--no-shrink"],
            capture_output=True, text=True, cwd=self.folder, timeout=20 * SECONDS)
        self.assertEqual(result.returncode, 0, result.stdout[-8000:] + result.stderr[-2000:])
        with urllib.request.urlopen(address + "/ready", timeout=SECONDS) as reply:
            self.assertEqual(json.load(reply)["status"], "ready")


if __name__ == "__main__":
    main()
