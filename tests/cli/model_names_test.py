#!/usr/bin/env python3
"""How models are named and found: names with dots in them, in other scripts, links to nothing; and -1 on the command line."""

import json
import os
import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from program import MODEL, ProgramTest, gguf  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "data/arch/qwen2"
NAME = "Tiny2.5-0.5B-Instruct.v1"


class ModelNamesTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.models = self.folder / "models"
        shutil.copytree(FOLDER, self.models / NAME)
        self.environment["OGAS_MODELS"] = str(self.models)

    def test_dots_are_part_of_a_name(self):
        gguf({"general.architecture": "none"}, self.models / "Llama-3.1-8B.Q4_K_M.gguf")
        self.assertEqual(self.ogas("completion", "models").stdout.decode(), f"Llama-3.1-8B.Q4_K_M\n{NAME}\n")
        self.fails(3, f"there is: Llama-3.1-8B.Q4_K_M, {NAME}", "inspect", "other")
        self.fails(3, f"did you mean {NAME}?", "inspect", "Tiny2.5-0.5B-Instruct.v2")
        for name in (NAME, NAME.lower(), "tiny2", "tiny2.5-0.5b"):
            self.assertEqual(json.loads(self.ogas("inspect", name, "--json").stdout)["architecture"], "qwen2")
        for path in (f"models/{NAME}", f"models/{NAME}/", f"models/{NAME}//"):
            plan = self.ogas("plan", path, "--ram", "1G").stdout.decode()
            self.assertIn(NAME, plan.splitlines()[0])

    def test_letters_of_all_scripts_are_shown(self):
        for name in ("té st.gguf", "Ünïcode 模型/Модель.gguf", "a👩‍🚀.gguf"):
            for locale in ("C.UTF-8", "C"):
                self.fails(3, f"'{name}'", "inspect", name, env={**self.environment, "LC_ALL": locale})
        for name, shown in (("a\x1b[2J.gguf", r"'a\x1b[2J.gguf'"), ("a\u202egpj.gguf", r"'a\xe2\x80\xaegpj.gguf'"),
                            (b"a\xff.gguf", r"'a\xff.gguf'")):
            result = self.ogas("inspect", os.fsdecode(name), code=3)
            self.assertIn(shown, result.stderr)

    def test_a_link_to_nothing_is_said(self):
        for link in (self.folder / "link.gguf", self.models / "Gone-1.5B.gguf"):
            link.symlink_to("../blobs/sha256-gone")
        said = "it is a symbolic link to '../blobs/sha256-gone', which does not exist"
        for name in ("link.gguf", "Gone-1.5B", "gone"):
            self.fails(3, said, "inspect", name)
            self.fails(3, said, "run", name, "hi")
        for part in ("model.safetensors", "config.json", "generation_config.json", "chat_template.jinja"):
            folder = self.folder / f"hf-{part}"
            shutil.copytree(FOLDER, folder)
            (folder / part).unlink(missing_ok=True)
            (folder / part).symlink_to("../blobs/sha256-gone")
            with self.subTest(part):
                if part == "chat_template.jinja":  # without it tokens can be computed, and nobody can chat
                    self.fails(3, said, "inspect", folder, "--template")
                else:
                    self.fails(3, said, "inspect", folder)

    def test_minus_one_is_no_bound(self):
        def answer(*options):
            return self.ogas("run", MODEL, "--json", "--seed", 5, "--temp", 1.5, "--top-p", 1, "--min-p", 0, "--repeat-penalty",
                             1.3, *options, "Tell me a story").stdout
        def text(*options):
            return json.loads(answer("-n", 12, *options))["text"]
        whole = json.loads(answer("-n", -1, "--ctx", 64, "--ignore-eos"))
        self.assertEqual(whole["finish_reason"], "length")
        self.assertGreaterEqual(whole["prompt_tokens"] + whole["completion_tokens"], 64)
        self.assertEqual(text("--top-k", -1), text("--top-k", 0))
        self.assertEqual(text("--repeat-last-n", -1), text("--repeat-last-n", 1000))
        self.assertNotEqual(text("--repeat-last-n", -1), text("--repeat-last-n", 0))
        for option in ("-n", "--top-k", "--repeat-last-n"):
            self.fails(2, "'-3' is not a whole number", "run", option, "-3", "hi")


if __name__ == "__main__":
    unittest.main()
