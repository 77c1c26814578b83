#!/usr/bin/env python3
"""Tests of tools/check_floors.py: every rule is shown to catch what it is for, and to leave alone what is right."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import check_floors  # noqa: E402

CMAKE = """
ogas_floor(base LIBRARIES fmt::fmt)
ogas_floor(quant NEEDS base)
ogas_floor(text NEEDS base LIBRARIES PkgConfig::pcre2)
ogas_floor(files NEEDS quant text)
# ogas_floor(kernels NEEDS text)
ogas_floor(kernels
           NEEDS quant)
ogas_floor(arch NEEDS kernels files)
add_executable(ogas)
target_link_libraries(ogas PRIVATE ogas_arch CLI11::CLI11)
"""
HEADERS = {"base/file.h": "", "quant/format.h": "", "text/vocab.h": "", "files/tensor_file.h": "", "kernels/cpu_kernels.h": "",
           "arch/model.h": "", "cli/options.h": ""}


class CheckFloorsTest(unittest.TestCase):
    def check(self, files, cmake=CMAKE, exceptions=(), knots=()):
        """Errors as "path:line: rule" for a tree of these sources and empty headers."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "CMakeLists.txt").write_text(cmake)
            for name, text in {**HEADERS, **files}.items():
                path = root / "src" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            self.checker = check_floors.Checker(root, list(exceptions), list(knots)).run()
            return [":".join(e.split(":")[:3]) for e in self.checker.errors]

    def assert_free(self, name, text, **options):
        self.assertEqual(self.check({name: text}, **options), [], text)

    def assert_caught(self, rule, name, text, **options):
        self.assertEqual(self.check({name: text}, **options), [f"src/{name}:1: {rule}"], text)

    def test_floors_are_followed_down(self):
        floors, _ = check_floors.read_floors(CMAKE)
        self.assertEqual(floors["base"], set())
        self.assertEqual(floors["files"], {"base", "quant", "text"})
        self.assertEqual(floors["kernels"], {"base", "quant"})
        self.assertEqual(floors["cli"], {"base", "quant", "text", "files", "kernels", "arch"})

    def test_include_down_or_within(self):
        self.assert_free("files/a.cc", '#include "files/tensor_file.h"\n#include "base/file.h"\n#include <vector>\n')
        self.assert_free("cli/a.cc", '#include "arch/model.h"\n#include "generated_version.h"\n')

    def test_include_up_or_sideways(self):
        self.assert_caught("floors", "base/a.cc", '#include "quant/format.h"')
        self.assert_caught("floors", "kernels/a.cc", '#include "text/vocab.h"')
        self.assert_caught("floors", "kernels/a.cc", '#  include   "files/tensor_file.h"')
        self.assert_caught("floors", "quant/a.h", '#include "text/vocab.h"')
        self.assert_caught("floors", "arch/a.cc", '#include "cli/options.h"')

    def test_include_of_a_test(self):
        self.assert_caught("floors", "quant/a_test.cc", '#include "files/tensor_file.h"')

    def test_tests_may_include_what_test_needs_name(self):
        cmake = CMAKE.replace("ogas_floor(quant NEEDS base)", "ogas_floor(quant NEEDS base TEST_NEEDS files NOT_HOT)")
        for include in ['#include "files/tensor_file.h"', '#include "text/vocab.h"', '#include "base/file.h"']:
            self.assert_free("quant/a_test.cc", include, cmake=cmake)
            self.assert_free("quant/sub/a_test_tools.h", include, cmake=cmake)
        self.assert_caught("floors", "quant/a_test.cc", '#include "kernels/cpu_kernels.h"', cmake=cmake)
        self.assert_caught("floors", "quant/a.cc", '#include "files/tensor_file.h"', cmake=cmake)
        self.assert_caught("floors", "files/a_test.cc", '#include "kernels/cpu_kernels.h"', cmake=cmake)
        self.assertIn("not declared", self.message("ogas_floor(a TEST_NEEDS b)"))

    def test_folders_inside_a_floor(self):
        header = {"files/sub/a.h": ""}
        self.assertEqual(self.check({**header, "files/other/b.cc": '#include "files/sub/a.h"'}), [])
        self.assertEqual(self.check({**header, "text/b.cc": '#include "files/sub/a.h"'}), ["src/text/b.cc:1: floors"])
        self.assert_caught("floors", "files/sub/b.cc", '#include "arch/model.h"')
        self.assert_caught("output", "files/sub/b.cc", "std::exit(1);")
        self.assert_free("cli/sub/b.cc", "std::exit(1);")

    def test_include_says_what_to_do(self):
        self.check({"base/a.cc": '\n\n#include "arch/model.h"'})
        self.assertRegex(self.checker.errors[0], r"^src/base/a\.cc:3: floors: #include \"arch/model\.h\": .*move")

    def test_include_without_folder_or_file(self):
        self.assert_caught("floors", "base/a.cc", '#include "file.h"')
        self.assert_caught("floors", "quant/a.cc", '#include "../base/file.h"')
        self.assert_caught("floors", "quant/a.cc", '#include "base/missing.h"')

    def test_include_in_a_comment(self):
        self.assert_free("base/a.cc", '// #include "arch/model.h"\n/*\n#include "arch/model.h"\n*/')

    def test_folder_that_is_no_floor(self):
        self.assert_caught("floors", "extra/a.cc", "int x;")

    def test_floors_in_a_circle_or_undeclared(self):
        self.assertIn("circle", self.message("ogas_floor(a NEEDS b)\nogas_floor(b NEEDS a)"))
        self.assertIn("not declared", self.message("ogas_floor(a NEEDS b)"))

    def message(self, cmake):
        self.check({}, cmake=cmake)
        return self.checker.errors[0]

    # Three modules in a cycle that goes through a source file, and one that is only included.
    CYCLE = {"files/a.h": "", "files/a.cc": '#include "files/a.h"\n#include "files/b.h"', "files/b.h":
              '#include "files/c.h"', "files/c.h": '#include "files/a.h"\n#include "files/tensor_file.h"'}

    def knot_errors(self, files, **options):
        self.check(files, **options)
        self.checker.check_exceptions()
        return [e for e in self.checker.errors if "knots" in e]

    def test_knots(self):
        errors = self.knot_errors(self.CYCLE)
        self.assertEqual(len(errors), 1)
        self.assertIn("files/a, files/b, files/c:", errors[0])
        for name in self.CYCLE.keys() - {"files/a.h"}:
            self.assertEqual(self.knot_errors({**self.CYCLE, name: ""}), [], name)

    def test_knots_leave_alone_tests_and_formats(self):
        self.assertEqual(self.knot_errors({"files/a_test_tools.h": '#include "files/b.h"',
                                           "files/b.h": '#include "files/a_test_tools.h"'}), [])
        self.assertEqual(self.knot_errors({"quant/q4.h": '#include "quant/format.h"',
                                           "quant/format.cc": '#include "quant/q4.h"'}), [])

    def test_listed_knots_may_only_shrink(self):
        knot = {"files/a", "files/b", "files/c"}
        self.assertEqual(self.knot_errors(self.CYCLE, knots=[(knot, "reason")]), [])
        self.assertEqual(self.checker.warnings, [])
        self.assertEqual(len(self.knot_errors({}, knots=[(knot, "reason")])), 1)
        self.assertEqual(self.knot_errors(self.CYCLE, knots=[(knot | {"files/d"}, "reason")]), [])
        self.assertIn("files/d: no longer", self.checker.warnings[0])
        self.assertIn("in a cycle", self.knot_errors(self.CYCLE, knots=[({"files/a", "files/b"}, "reason")])[0])

    def test_cli_includes_nothing_below_engine_but_base(self):
        floors = "ogas_floor(engine NEEDS arch)\nogas_floor(synth NEEDS base)\n"
        cmake = CMAKE.replace("add_executable", floors + "add_executable")
        cmake = cmake.replace("ogas_arch CLI11", "ogas_engine ogas_synth CLI11")
        above = {"engine/engine.h": "", "synth/shapes.h": ""}
        for name in ["arch/model.h", "kernels/cpu_kernels.h", "files/tensor_file.h", "quant/format.h"]:
            include = f'#include "{name}"'
            self.assertEqual(self.check({**above, "cli/a.cc": include}, cmake=cmake), ["src/cli/a.cc:1: below"])
            self.assertEqual(self.check({**above, "cli/a_test.cc": include}, cmake=cmake), [])
            self.assertEqual(self.check({**above, "engine/a.cc": include}, cmake=cmake), [])
        for name in ["base/file.h", "engine/engine.h", "synth/shapes.h", "cli/options.h"]:
            self.assertEqual(self.check({**above, "cli/a.cc": f'#include "{name}"'}, cmake=cmake), [])

    def test_exceptions_of_debts_must_go(self):
        self.check({}, exceptions=[("below", r"cli/a\.cc", ".*", "reason")])
        self.checker.check_exceptions()
        self.assertIn("remove it", self.checker.errors[0])

    def test_architecture_names(self):
        for text in ['auto x = "llama";', "struct Qwen3Layer {};", "void bind_deepseek2();", 'f("seed_oss");',
                     'f("gpt-oss");', "enum { kGptOss };", "int GLM = 0;", "class ErnieMoe {};", 'f("yi");']:
            self.assert_caught("architecture", "kernels/a.cc", text)

    def test_architecture_names_where_they_belong(self):
        self.assert_free("arch/llama.cc", 'struct LlamaLayer {}; auto x = "llama";')
        self.assert_free("kernels/a.cc", "// as in llama.cpp\nint x;  /* Qwen */")
        self.assert_free("kernels/a_test.cc", 'auto x = "llama";')

    def test_words_that_only_look_like_architectures(self):
        self.assert_free("kernels/a.cc", "int yield, graphics, trying, llamas, aglmb; auto s = \"yielding\";")

    def test_registered_architectures_count(self):
        registry = 'constexpr Architecture k[] = {\n    {"newcomer2", create_newcomer},\n};'
        errors = self.check({"arch/registry.cc": registry, "kernels/a.cc": 'auto x = "newcomer";'})
        self.assertEqual(errors, ["src/kernels/a.cc:1: architecture"])

    def test_intrinsics(self):
        for text in ["auto x = _mm256_add_ps(a, b);", "__m512i x;", "#include <immintrin.h>", "#include <arm_neon.h>",
                     "int32x4_t x;", "x = vdotq_s32(a, b, c);", "x = vld1q_s8(p);", "x = vdotq_laneq_s32(a, b, c, 1);",
                     "x = vreinterpretq_u8_s8(y);", "__builtin_ia32_pause();", "x = vaddvq_f32(y);"]:
            self.assert_caught("intrinsics", "kernels/generic.h", text)
            self.assert_caught("intrinsics", "quant/a_test.cc", text)

    def test_intrinsics_where_they_belong(self):
        self.assert_free("kernels/isa_avx2.h", "#include <immintrin.h>\n__m256 x;")
        self.assert_free("kernels/tuned/q4_k_avx2.h", "__m256 x;")
        self.assert_free("base/a.cc", "uint32_t vocab_u; int n_u32; f(value_u8);  // _mm256_add_ps")

    def test_output(self):
        for text in ['printf("x");', 'std::printf("x");', "std::cout << 1;", 'fmt::print("x");', "exit(1);",
                     "std::exit(1);", "_exit(1);", "std::abort();", 'fmt::println("x");', "std::cerr << 1;",
                     'fprintf(stderr, "x");', 'puts("x");']:
            self.assert_caught("output", "files/a.cc", text)

    def test_output_where_it_belongs(self):
        self.assert_free("cli/a.cc", 'fmt::print("x"); std::exit(1);')
        self.assert_free("files/a_test.cc", 'printf("x");')
        self.assert_free("files/a.cc", 'snprintf(b, n, "x"); at_exit(f); x.exit(); loop->exit(); auto s = "exit(1)"; '
                                       'fmt::format("x");  // printf("x")')

    def test_compositions(self):
        for code in ("pool.parallel_for(n, f);", "float* x;", "const float *x;", "float const* x;",
                     "std::span<const float*> x;", '#include "kernels/cpu_kernels.h"'):
            self.assert_caught("compositions", "arch/a.cc", code)
        self.assert_caught("compositions", "arch/a.h", "void f(float* y);")
        self.assert_free("arch/a.cc", "// parallel_for over float* x\nstd::span<float> x; float y = 2.0F * z;\n")
        self.assert_free("arch/a_test.cc", "float* x;")
        self.assert_free("kernels/a.cc", "float* x;")
        self.assert_free("arch/b.cc", "float* x;", exceptions=[("compositions", r"arch/b\.cc", r"float\*", "why")])

    def test_scratch(self):
        self.assert_caught("scratch", "arch/a.cc", "thread_local int a;")
        self.assert_free("kernels/a.cc", "thread_local int a;")
        self.assert_free("arch/a_test.cc", "thread_local int a;")
        self.assert_free("arch/a.cc", "int thread_locals;  // thread_local")

    def test_literals_and_comments(self):
        self.assert_free("files/a.cc", 'auto s = R"(exit(1) " // )"; char c = \'"\'; auto t = "\\"exit(1)";')
        self.assert_caught("output", "files/a.cc", "int n = 1'000'000; exit(1); char c = '/';")
        self.assert_caught("output", "files/a.cc", 'auto s = "//"; exit(1);')

    def test_length(self):
        lines = "int x;\n" * 601
        self.assertEqual(self.check({"base/a.cc": lines}), ["src/base/a.cc:601: length"])
        self.assert_free("base/a.cc", "int x;\n" * 600)
        self.assert_free("base/a.cc", "// A table. Over 600 lines because it has one line an entry.\n" + lines)

    def test_long_functions_are_warned_about(self):
        self.check({"base/a.cc": "void f() {\n" + "  g();\n" * 59 + "}\n"})
        self.assertEqual(len(self.checker.warnings), 1)
        self.check({"base/a.cc": "void f() {\n" + "  g();\n" * 58 + "}\n"})
        self.assertEqual(self.checker.warnings, [])

    def test_exceptions(self):
        exception = ("output", r"base/check\.cc", "std::abort", "reason")
        self.assert_free("base/check.cc", "std::abort();", exceptions=[exception])
        self.assert_caught("output", "base/check.cc", "std::exit(1);", exceptions=[exception])
        self.assert_caught("output", "base/other.cc", "std::abort();", exceptions=[exception])

    def test_exit_status(self):
        script = pathlib.Path(check_floors.__file__)
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "src/base").mkdir(parents=True)
            (root / "CMakeLists.txt").write_text("ogas_floor(base)")
            empty = subprocess.run([sys.executable, script, folder], capture_output=True, text=True)
            self.assertEqual(empty.returncode, 1)
            (root / "src/base/a.cc").write_text("int x;")
            good = subprocess.run([sys.executable, script, folder], capture_output=True, text=True)
            self.assertEqual(good.returncode, 0, good.stdout)
            (root / "src/base/a.cc").write_text("int x;\nvoid f() { exit(1); }")
            bad = subprocess.run([sys.executable, script, folder], capture_output=True, text=True)
            self.assertEqual(bad.returncode, 1)
            self.assertIn("src/base/a.cc:2: output: exit", bad.stdout)


if __name__ == "__main__":
    unittest.main()
