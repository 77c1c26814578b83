#!/usr/bin/env python3
"""Every flag that the documents and the help texts name exists: of the command they write it with ("ogas run ... --json"),
else of any. Flags of the project's own scripts ("bench/peers.py --rounds 5") are looked up in those."""

import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import BINARY, ProgramTest  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FORMER = "docs/GLOSSARY.md"  # the one page that names former spellings, too
PAGES = ["README.md", "CONTRIBUTING.md", *(path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("docs/**/*.md")))]
FLAG = re.compile(r"(?<![\w-])--[a-z][\w-]*")
SCRIPT = re.compile(r"(?:bench|tools|tests)/[\w./-]*\w|\./test|\./run")


def commands(text):
    """(line's number, command) of what is code in a page: lines of blocks, cut at shell operators and comments, and spans
    between backticks; and of the prose between, as None and the rest of the line."""
    in_code = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("```"):
            in_code = not in_code
        elif in_code or line.startswith("    "):
            command, _, comment = line.partition(" #")
            for part in re.split(r"&&|[;|]", command):
                yield number, part.strip(), True
            yield number, comment, False
        else:
            for idx, part in enumerate(line.split("`")):
                yield number, part, idx % 2 == 1


def unknown_flags(text, options, scripts_have=lambda script, flag: False, is_former=lambda flag: False):
    """(line's number, flag, the command it is written with or None) of flags that do not exist.
    options: {command of ogas: its flags}."""
    of_any = set().union(*options.values())
    scripts = set(SCRIPT.findall(text))
    for number, part, is_code in commands(text):
        program = re.match(r"(?:\w+=\S* )*(?:build/release/)?(\S+)(?: (\w+))?", part) if is_code else None
        name, command = program.groups() if program else ("", "")
        for flag in FLAG.findall(part):
            if name == "ogas" and command in options:
                found = flag in options[command]
            elif SCRIPT.fullmatch(name):
                found = scripts_have(name, flag)
            elif name and not name.startswith(("-", "ogas")) and is_code:
                found = True  # another program
            else:
                found = flag in of_any or any(scripts_have(script, flag) for script in scripts)
            if not found and not is_former(flag):
                yield number, flag, command if name == "ogas" else name or None


class UnknownFlagsTest(unittest.TestCase):
    def test_are_found(self):
        options = {"run": {"--json", "--seed"}, "top": {"--once"}}
        for text, expected in [
                ("`ogas run MODEL --json`; `--once`, and `--seed 3`", []), ("`ogas run --once`", [(1, "--once", "run")]),
                ("text\n    ogas top X --once | less --raw; ogas run --sed 3  # --json", [(2, "--sed", "run")]),
                ("    KEY=1 ogas run --jsn\n", [(1, "--jsn", "run")]), ("with --onc it ends", [(1, "--onc", None)]),
                ("`cmake --install x`, `bench/a.py --once`", [(1, "--once", "bench/a.py")]),
                ("`bench/b.py --rounds 3`; `--rounds` and `--runs`", [(1, "--runs", "--runs")])]:
            found = unknown_flags(text, options, lambda script, flag: (script, flag) == ("bench/b.py", "--rounds"))
            self.assertEqual(list(found), expected, text)


class DocumentedFlagsTest(ProgramTest):
    def setUp(self):
        super().setUp()
        names = re.findall(r"^  (\w+) ", self.help().split("Subcommands:")[1].split("\n\n")[0], re.MULTILINE)
        self.assertIn("run", names)
        self.helps = {name: self.help(name) for name in names}
        # An option's line begins with its flags.
        self.options = {name: {"--help", *FLAG.findall(" ".join(re.findall(r"^  (-\S+)", text, re.MULTILINE)))}
                        for name, text in self.helps.items()}
        self.assertIn("--temperature", self.options["run"])

    def help(self, *command):
        return self.ogas(*command, "--help").stdout.decode()

    def is_former(self, flag):
        """Whether `ogas run` takes it without showing it."""
        error = subprocess.run([BINARY, "run", flag, "--no-such-flag"], capture_output=True, text=True, env=self.environment)
        return f"'{flag}'" not in error.stderr

    def test_pages(self):
        texts = {}

        def scripts_have(script, flag):
            if script not in texts:
                path = ROOT / script
                texts[script] = path.read_text() if path.is_file() else ""
            return re.search(re.escape(flag) + r"(?![\w-])", texts[script]) is not None

        options = self.options | {"": {"--version", "--help"}}
        for page in PAGES:
            former = self.is_former if page == FORMER else lambda flag: False
            for number, flag, command in unknown_flags((ROOT / page).read_text(), options, scripts_have, former):
                self.fail(f"{page}:{number}: {flag} of {command or 'no command'}")

    def test_help_texts(self):
        main = {"--version", "--help"}
        for name, text in [("", self.help()), *self.helps.items()]:
            for line in text.split("\n"):
                before, *examples = re.split(r"\bogas (?=[a-z]+ )", line)
                for flag in FLAG.findall(before):
                    self.assertIn(flag, self.options.get(name, main), f"ogas {name} --help: {line}")
                for example in examples:
                    command, _, arguments = example.partition(" ")
                    for flag in FLAG.findall(arguments) if command in self.options else []:
                        self.assertIn(flag, self.options[command], f"ogas {name} --help: {line}")


if __name__ == "__main__":
    unittest.main()
