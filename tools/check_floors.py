#!/usr/bin/env python3
"""Checks that src/ keeps the rules of the design that a compiler does not see. Needs nothing but Python 3.

    tools/check_floors.py [ROOT]

  floors        an #include names a file of its own folder, or of a floor that CMakeLists.txt puts below it: the NEEDS of
                ogas_floor(), followed down, and for tests its TEST_NEEDS, too. CMakeLists.txt is the only list
  knots         no cycle of modules inside a floor, where x.h and x.cc are one module; those of today are in KNOTS
  below         cli/ includes nothing below engine/ but base/: engine/ offers what it needs of a model
  architecture  names of architectures occur in arch/ only
  intrinsics    instruction-set intrinsics occur in kernels/isa_* and kernels/tuned/ only
  output        only cli/ prints or ends the program
  scratch       thread_local occurs in base/ and kernels/ only: a pass takes memory from ops/scratch.h, which is planned
  compositions  blocks (nn/) and decoders (arch/) are compositions of a device's operations (ops/device.h): no
                parallel_for, no pointer to floats, no kernels
  length        a file of more than 600 lines says why in its head: "Over 600 lines because ..."

Comments are not checked. Tests are checked for floors, intrinsics and length only. EXCEPTIONS list what is right although
it breaks a rule, with a reason. Exceptions to "below", and KNOTS, must go when nothing needs them any more. Two things
are only warnings: another exception that nothing needs, and functions of more than 60 lines, which clang-tidy
(tools/tidy) measures exactly. The check does not parse C++: it knows comments, literals and words.
"""

import pathlib
import re
import sys

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60
HEAD_LINES = 30
LENGTH_REASON = "Over 600 lines because"

# Names of model families as model files have them, in addition to those that arch/registry.cc lists. Compared with the
# words of identifiers and literals, in lower case and without "_" and "-".
ARCHITECTURES = {
    "baichuan", "bailing", "bloom", "chatglm", "commandr", "deepseek", "ernie", "exaone", "falcon", "gemma", "glm",
    "gptneox", "gptoss", "granite", "grok", "hunyuan", "internlm", "kimi", "llama", "mamba", "minicpm", "minimax",
    "mistral", "mixtral", "nemotron", "olmo", "olmoe", "phi", "qwen", "seedoss", "smollm", "stablelm", "starcoder",
    "yi",
}

# (rule, path in src/ as a pattern, what is found as a pattern, reason)
EXCEPTIONS = [
    ("architecture", r"text/.*", r"\"[^\"]*\"",
     "names of pre-tokenizers (tokenizer.ggml.pre) and kinds of tokenizer are values of the file format"),
    ("architecture", r"files/vocab_reader\.(cc|h)", r"\"[^\"]*\"",
     "tokenizer.ggml.model \"llama\" is how GGUF calls SentencePiece BPE"),
    ("architecture", r"chat/output_format\.cc", r"\"[^\"]*\"", "marks of tool calls that hold their model's name"),
    ("architecture", r"synth/shapes\.cc", r".*", "shapes are called after the models that have them"),
    ("architecture", r"cli/commands/synth\.cc", r"\"[^\"]*\"", "shapes in examples"),
    ("architecture", r"cli/.*", r".*\.gguf.*", "file names of models: the default one, and examples in help"),
    ("output", r"base/check\.(cc|h)", r"fmt::print|std::abort", "a broken invariant ends the program, with text"),
    ("compositions", r"nn/(packed_weights|expert_store)\.cc", r"parallel_for", "weights are packed while they are read"),
    ("scratch", r"jinja/budget\.h", r".*", "the memory that a template may take is of its thread"),
    ("scratch", r"capi/boundary\.cc", r".*", "ogas_last_error() is of the calling thread"),
    ("scratch", r"server/.*api\.cc", r".*", "random numbers for names of answers"),
]

# Rules whose exceptions are debts: one that nothing needs any more is an error.
DEBTS = {"below"}

# Cycles that exist today, each with its reason or its future. A module that is not listed may not join one. A cycle
# that has gone must leave this list.
KNOTS = [
    ({"server/http/exchange", "server/http/http_connection", "server/http/http_server"},
     "a connection knows its server, which makes connections and exchanges on them"),
    ({"grammar/schema_expansion", "grammar/schema_solver", "grammar/shape_builder"},
     "whether a shape can be satisfied depends on its values, whose shapes are built by the same solver"),
    ({"text/bpe_tokenizer", "text/tokenizer"}, "Tokenizer makes its implementations"),
    ({"files/gguf", "files/tensor_file"}, "TensorFile makes its readers"),
    ({"chat/answer_splitter", "chat/call_reader", "chat/output_parser", "chat/output_writer"},
     "parts of OutputParser include its header for the parts of an answer"),
    ({"cli/chat/conversation", "cli/options/options"},
     "a conversation holds AnswerOptions, and options are added by the names of its settings"),
    ({"cli/terminal/exit_code", "cli/terminal/terminal"},
     "an error is printed on the terminal, and output that fails ends with an exit code"),
    ({"jinja/builtins", "jinja/interpreter"}, "built-ins call the interpreter, which looks them up"),
    ({"client/http_client", "client/transfer"}, "HttpClient makes transfers, which take its options"),
    ({"sampling/sampling_options", "sampling/sampling_settings"}, "options are checked by the table of their settings"),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
INTRINSICS = re.compile(
    r"\b_mm\d*_\w+|\b__m(?:128|256|512)\w*|\b__mmask\d+\b|\b__builtin_(?:ia32|neon|aarch64)_\w+"
    r"|\b(?:x86|[a-z]mm|arm_(?:neon|sve|acle|bf16|fp16))\w*\.h\b"
    r"|\bv(?:ld|st|dup|mov|add|sub|mul|ml[as]|fm|dot|usdot|mmla|get|set|combine|cvt|reinterpret|shl|shr|sra|and|orr|eor"
    r"|bic|max|min|abs|neg|tbl|tbx|zip|uzp|trn|ext|padd|pmax|q|rnd|rev|bsl|c[el]|cg)[a-z0-9]*"
    r"(?:_(?:lane|laneq|n|low|high))*_(?:[sufp]|bf)(?:8|16|32|64)(?:_[sufp](?:8|16|32|64)|_x\d)?(?=\s*\()"
    r"|\b(?:u?int|b?float|poly)(?:8|16|32|64)x\d+(?:x\d+)?_t\b")
OUTPUT = re.compile(
    r"\bstd::(?:cout|cerr|clog|wcout|wcerr)\b|\b(?:fmt|std)::(?:vprint|print|println)\b"
    r"|(?<![\w.>:])(?:std::)?(?:printf|fprintf|vprintf|vfprintf|puts|putchar|perror|putc|fputs|fputc"
    r"|exit|_exit|_Exit|quick_exit|abort|terminate)(?=\s*\()")
WORD = re.compile(r"[A-Za-z][A-Za-z_-]*")
LITERAL_OR_COMMENT = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'", re.DOTALL)


def is_test(path):
    return path.stem.endswith("_test") or "_test_" in path.stem


def blank(text):
    """Spaces for everything but the ends of lines, so that positions stay."""
    return re.sub(r"[^\n]", " ", text)


def strip(source, literals):
    """The source without comments, and without literals unless they are wanted."""
    def replace(match):
        token = match.group()
        if token.startswith("/") or not literals:
            return blank(token)
        return token
    return LITERAL_OR_COMMENT.sub(replace, source)


FLOOR_KEYWORDS = ("NEEDS", "TEST_NEEDS", "LIBRARIES", "NOT_HOT")


def arguments_of(words):
    """{keyword: its words} of the arguments of ogas_floor() after the name."""
    found = {keyword: [] for keyword in FLOOR_KEYWORDS}
    current = None
    for word in words:
        if word in found:
            current = found[word]
        elif current is not None:
            current.append(word)
    return found


def read_floors(cmake_text):
    """{floor: floors it may include}, {floor: floors its tests may include}, from ogas_floor(name NEEDS ...) and the
    program's target_link_libraries. Tests are programs, so their floors may form cycles with those of libraries."""
    cmake_text = re.sub(r"#[^\n]*", "", cmake_text)
    needs, test_needs = {}, {}
    for body in re.findall(r"\bogas_floor\(([^)]*)\)", cmake_text):
        name, *words = body.split()
        found = arguments_of(words)
        needs[name], test_needs[name] = found["NEEDS"], found["TEST_NEEDS"]
    if "cli" not in needs:
        linked = re.search(r"\btarget_link_libraries\(ogas\s([^)]*)\)", cmake_text)
        needs["cli"] = re.findall(r"\bogas_(\w+)", linked.group(1)) if linked else []

    allowed = {}
    def close(floor, path):
        if floor in path:
            raise ValueError(f"the floors go in a circle: {' -> '.join(path + [floor])}")
        if floor not in needs:
            raise ValueError(f"ogas_floor({path[-1]}) needs '{floor}', which is not declared")
        if floor not in allowed:
            below = set()
            for lower in needs[floor]:
                below |= {lower} | close(lower, path + [floor])
            allowed[floor] = below
        return allowed[floor]
    for floor in needs:
        close(floor, [])
    allowed_to_tests = {}
    for floor in needs:
        allowed_to_tests[floor] = set(allowed[floor])
        for other in test_needs.get(floor, []):
            if other not in allowed:
                raise ValueError(f"ogas_floor({floor}) has tests that need '{other}', which is not declared")
            allowed_to_tests[floor] |= {other} | allowed[other]
    return allowed, allowed_to_tests


def cycles_of(edges):
    """The largest sets of nodes that reach each other, of {node: nodes it points to}."""
    def reached_from(start):
        seen, open_ends = set(), [start]
        while open_ends:
            for node in edges.get(open_ends.pop(), ()):
                if node not in seen:
                    seen.add(node)
                    open_ends.append(node)
        return seen
    reached = {node: reached_from(node) for node in edges}
    return {frozenset(other for other in reached[node] if node in reached.get(other, ()))
            for node in edges if node in reached[node]}


class Checker:
    def __init__(self, root, exceptions=EXCEPTIONS, knots=KNOTS):
        self.root = pathlib.Path(root)
        self.src = self.root / "src"
        self.exceptions = exceptions
        self.knots = knots
        self.used = set()
        self.modules = {}  # of each module, those of its floor that it includes; tests aside
        self.errors = []
        self.warnings = []
        self.architectures = ARCHITECTURES | self.registered_architectures()

    def registered_architectures(self):
        registry = self.src / "arch" / "registry.cc"
        if not registry.exists():
            return set()
        text = strip(registry.read_text(encoding="utf-8"), literals=True)
        return {normalize(n) for n in re.findall(r'\{\s*"([a-z][a-z0-9_-]*)"\s*,', text)} - {""}

    def run(self):
        try:
            self.floors, self.floors_of_tests = read_floors((self.root / "CMakeLists.txt").read_text(encoding="utf-8"))
        except ValueError as error:
            self.errors.append(f"CMakeLists.txt: {error}")
            return self
        paths = sorted(p for p in self.src.rglob("*") if p.suffix in (".cc", ".h", ".cpp", ".hpp", ".inc", ".c"))
        if not paths:
            self.errors.append(f"{self.src}: no sources here")
        for path in paths:
            self.check_file(path)
        self.check_knots()
        return self

    def report(self, rule, path, line, found, advice):
        inside = path.relative_to(self.src).as_posix()
        for index, (excepted, where, what, _) in enumerate(self.exceptions):
            if excepted == rule and re.fullmatch(where, inside) and re.fullmatch(what, found, re.DOTALL):
                self.used.add(index)
                return
        shown = found if len(found) <= 60 and "\n" not in found else found.split("\n")[0][:60] + "..."
        self.errors.append(f"src/{inside}:{line}: {rule}: {shown}: {advice}")

    def check_file(self, path):
        source = path.read_text(encoding="utf-8")
        without_comments = strip(source, literals=True)
        code = strip(source, literals=False)
        folder = path.relative_to(self.src).parts[0]
        self.check_includes(path, folder, without_comments)
        self.check_intrinsics(path, folder, without_comments)
        if not is_test(path):
            if folder != "arch":
                self.check_architectures(path, without_comments)
            if folder != "cli":
                self.check_output(path, code)
            if folder not in ("base", "kernels"):
                self.check_scratch(path, code)
            if folder in ("nn", "arch"):
                self.check_compositions(path, code, without_comments)
        self.check_length(path, source, code)

    def check_includes(self, path, folder, text):
        if folder not in self.floors:
            self.report("floors", path, 1, folder, "no floor; declare it in CMakeLists.txt with ogas_floor()")
            return
        for number, line in enumerate(text.splitlines(), 1):
            match = INCLUDE.match(line)
            if not match or match.group(1) == "generated_version.h":  # written by OgasVersion.cmake
                continue
            target, found = match.group(1).split("/")[0], f'#include "{match.group(1)}"'
            if not is_test(path):
                self.note_include(path, folder, number, match.group(1))
            allowed = (self.floors_of_tests if is_test(path) else self.floors)[folder]
            if "/" not in match.group(1) or target == "..":
                self.report("floors", path, number, found, 'write it from src/ on: #include "folder/file.h"')
            elif target != folder and target not in allowed:
                self.report("floors", path, number, found,
                            f"{folder}/ may include {', '.join(sorted(allowed)) or 'no other folder'} and "
                            "itself; move the code to the floor it belongs on")
            elif not (self.src / match.group(1)).exists():
                self.report("floors", path, number, found, "there is no such file")

    def note_include(self, path, folder, number, included):
        target = included.split("/")[0]
        module = path.relative_to(self.src).with_suffix("").as_posix()
        other = pathlib.PurePath(included).with_suffix("").as_posix()
        if target == folder and other != module and folder != "quant":  # formats and their list name each other
            self.modules.setdefault(module, set()).add(other)
        if folder == "cli" and target in self.floors.get("engine", set()) - {"base"}:
            self.report("below", path, number, f'#include "{included}"',
                        f"{target}/ is below engine/; let engine/ or a floor next to it offer what cli/ needs")

    def check_knots(self):
        self.found_knots = cycles_of(self.modules)
        for knot in sorted(self.found_knots, key=sorted):
            if not any(knot <= listed for listed, _ in self.knots):
                self.errors.append(f"src/{sorted(knot)[0].split('/')[0]}: knots: {', '.join(sorted(knot))}: they "
                                   "include each other in a cycle; move what two of them need into a third")

    def check_intrinsics(self, path, folder, text):
        inside = path.relative_to(self.src).as_posix()
        if re.match(r"kernels/(isa_[^/]*$|tuned/)", inside):
            return
        for number, line in enumerate(text.splitlines(), 1):
            for match in INTRINSICS.finditer(line):
                self.report("intrinsics", path, number, match.group(), "move it to kernels/isa_* or kernels/tuned/")

    def check_architectures(self, path, text):
        literals = {}
        for match in LITERAL_OR_COMMENT.finditer(text):
            for position in range(*match.span()):
                literals[position] = match.group()
        for match in WORD.finditer(text):
            name = next((a for a in words_of(match.group()) if a in self.architectures), None)
            if name is None:
                continue
            line = text.count("\n", 0, match.start()) + 1
            if INCLUDE.match(text.splitlines()[line - 1]):
                continue
            found = literals.get(match.start(), match.group())
            self.report("architecture", path, line, found,
                        f"'{name}' is an architecture; what depends on it belongs in arch/")

    def check_output(self, path, code):
        for number, line in enumerate(code.splitlines(), 1):
            for match in OUTPUT.finditer(line):
                self.report("output", path, number, match.group(),
                            "only cli/ prints or ends the program; return a Result, or log through base/log.h")

    def check_scratch(self, path, code):
        for number, line in enumerate(code.splitlines(), 1):
            if re.search(r"\bthread_local\b", line):
                self.report("scratch", path, number, "thread_local",
                            "no memory plan counts it; take memory from the arenas of ops/scratch.h")

    def check_compositions(self, path, code, text):
        for number, (line, with_literals) in enumerate(zip(code.splitlines(), text.splitlines()), 1):
            found = re.search(r"\bparallel_for\b|\bfloat\s*(?:const\s*)?\*", line)
            found = found or re.search(r'#\s*include "kernels/[^"]*"', with_literals)
            if found:
                self.report("compositions", path, number, found.group(),
                            "compose it of the operations of ops/device.h; what is missing there belongs in ops/cpu/")

    def check_length(self, path, source, code):
        lines = source.splitlines()
        if len(lines) > MAX_FILE_LINES and LENGTH_REASON not in "\n".join(lines[:HEAD_LINES]):
            self.report("length", path, len(lines), f"{len(lines)} lines",
                        f'split it, or say in its head comment: "{LENGTH_REASON} ..."')
        begin = None
        for number, line in enumerate(code.splitlines(), 1):
            if begin is None and line[:1].strip() and line.rstrip().endswith("{"):
                if not re.match(r"(?:template.*>\s*)?(?:class|struct|union|enum|namespace|extern)\b|.*=\s*\{$", line):
                    begin = number
            elif begin is not None and line.startswith("}"):
                if number - begin + 1 > MAX_FUNCTION_LINES and "kernels/tuned" not in path.as_posix():
                    self.warnings.append(f"src/{path.relative_to(self.src).as_posix()}:{begin}: warning: a function of "
                                         f"{number - begin + 1} lines; {MAX_FUNCTION_LINES} is the aim")
                begin = None

    def check_exceptions(self):
        """To be called for the real tree only: one that holds every excepted file."""
        for listed, _ in self.knots:
            left = set().union(*(knot for knot in self.found_knots if knot <= listed))
            gone = ", ".join(sorted(listed - left))
            if not left:
                self.errors.append(f"tools/check_floors.py: knots: {gone}: this is no longer a cycle; remove the entry")
            elif gone:
                self.warnings.append(f"tools/check_floors.py: warning: {gone}: no longer in a cycle; "
                                     "remove it from KNOTS")
        for index, (rule, where, what, _) in enumerate(self.exceptions):
            if index in self.used:
                continue
            if rule in DEBTS:
                self.errors.append(f"tools/check_floors.py: {rule}: {where} {what}: nothing needs this exception any "
                                   "more; remove it")
                continue
            names = [p.relative_to(self.src).as_posix() for p in self.src.rglob("*") if p.is_file()]
            if any(re.fullmatch(where, name) for name in names):
                self.warnings.append(f"tools/check_floors.py: warning: unneeded exception {rule} {where} {what}")


def normalize(name):
    """"seed_oss" -> "seedoss", "qwen3moe" -> "qwen": a family's name without separators, size and variant."""
    return re.sub(r"[_-]", "", re.split(r"\d", name)[0])


def words_of(identifier):
    """The words of an identifier or of a piece of a literal, and each two neighbours joined, in lower case."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier)
    words = [w.lower() for w in words]
    whole = [re.sub(r"[_-]", "", identifier).lower()]
    return words + [a + b for a, b in zip(words, words[1:])] + whole


def main(arguments):
    root = arguments[1] if len(arguments) > 1 else pathlib.Path(__file__).resolve().parent.parent
    checker = Checker(root).run()
    if len(arguments) == 1:
        checker.check_exceptions()
    for line in checker.warnings + checker.errors:
        print(line)
    print(f"check_floors: {len(checker.errors)} errors, {len(checker.warnings)} warnings")
    return 1 if checker.errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
