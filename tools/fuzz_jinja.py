#!/usr/bin/env python3
"""Compares the template interpreter with Python's jinja2 on generated templates.

    fuzz_jinja.py PROGRAM [--cases 100000] [--seed 1] [--show 20]      (PROGRAM: build/release/tests/jinja_render)

Both render every template: the texts must be equal, or both must fail. In addition, every Greek letter of a text must be
within what PROGRAM marks as input: templates contain none, so it can only come from the input's strings.
Left out of the comparison, and counted: texts with the address of a Python object, or made from one, which ogas refuses to
print; integers of more than 64 bits, which ogas refuses; and slices of constants that have none, which jinja2's optimizer
turns into nothing where it would fail.
"""
import argparse
import json
import pathlib
import random
import re
import subprocess
import sys
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import jinja2  # noqa: E402
import jinja_environment  # noqa: E402

ADDRESS = re.compile(r"<[^<>]*( at 0x|<class|Macro |Namespace |built-in|generator|Undefined|function|iterator)", re.I)
GREEK = re.compile(r"[\u0370-\u03ff]+")

INTS = ["0", "1", "2", "3", "-1", "7", "10", "n", "m", "items[0]", "loop.index", "words|length"]
FLOATS = ["1.5", "0.0", "2.0", "x", "1e3", "-0.5", "1e20", "0.1"]
STRINGS = ["s", "t", "u", "''", "'a'", "\"it's\"", "'a,b,,c'", "'\\n x\\t'", "words[0]", "people[0].name", "'%s-%s'",
           "'{} and {}'", "nested.z", "'AbC dEf'", "' pad '", "'x' 'y'", "'<b>&'"]
LISTS = ["items", "words", "mixed", "empty", "[1, 2, 3]", "['b', 'A', 'c']", "range(4)|list", "nested.a.b", "[[1, 2], [3]]",
         "(1, 2)", "people|map(attribute='age')|list", "[]", "s|list", "range(3)"]
DICTS = ["nested", "people[0]", "{'k': 1, 'l': 'v'}", "{}", "nested.a", "{1: 2, none: 3}", "dict(a=1, b=s)"]
BOOLS = ["true", "false", "flag", "not flag", "True", "False"]
ANY = ["none", "missing", "nothing", "missing.x", "people[5]", "loop", "ns.v", "ns.w"]
NAMES = ["n", "s", "a", "b", "items", "v"]


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def pick(self, *options):
        return self.r.choice(options)

    def chance(self, share):
        return self.r.random() < share

    def expression(self, depth, kind=None):
        kind = kind if kind and not self.chance(0.06) else self.pick("int", "float", "str", "str", "list", "dict", "bool", "any")
        return getattr(self, "make_" + kind)(depth - 1)

    def wrapped(self, depth, kind=None):
        text = self.expression(depth, kind)
        return text if re.fullmatch(r"[\w.]+", text) and not text[0].isdigit() else f"({text})"

    def make_int(self, depth):
        if depth <= 0 or self.chance(0.25):
            return self.pick(*INTS)
        e = self.expression
        return self.pick(
            lambda: f"{e(depth, 'int')} {self.pick('+', '-', '*', '//', '%')} {e(depth, 'int')}",
            lambda: f"{self.wrapped(depth, 'int')} ** {self.pick('0', '1', '2', '3')}",
            lambda: f"-{self.wrapped(depth, 'int')}",
            lambda: f"{self.wrapped(depth, self.pick('list', 'str', 'dict'))}|length",
            lambda: f"{self.wrapped(depth, self.pick('str', 'float', 'int', 'any'))}|int" + self.pick("", "(5)", "(base=16)", "(default=none)"),
            lambda: f"{self.wrapped(depth, 'str')}.{self.pick('find', 'rfind', 'count', 'index')}({e(depth, 'str')}{self.pick('', ', 1', ', -2', ', 1, 3', ', none, 2')})",
            lambda: f"{self.wrapped(depth, 'list')}.{self.pick('count', 'index')}({e(depth)})",
            lambda: f"{self.wrapped(depth, 'list')}|{self.pick('sum', 'first', 'last', 'min', 'max')}",
            lambda: f"{self.wrapped(depth, 'list')}|sum(start={e(depth, 'int')})",
            lambda: f"{self.wrapped(depth, 'int')}|abs",
            lambda: f"{self.wrapped(depth, 'list')}[{e(depth, 'int')}]",
            lambda: f"{e(depth, 'int')} if {e(depth, 'bool')}{self.pick('', ' else ' + e(depth, 'int'))}",
        )()

    def make_float(self, depth):
        if depth <= 0 or self.chance(0.3):
            return self.pick(*FLOATS)
        e = self.expression
        number = lambda: e(depth, self.pick("int", "float"))
        return self.pick(
            lambda: f"{number()} {self.pick('+', '-', '*', '/', '//', '%')} {e(depth, 'float')}",
            lambda: f"{number()} / {number()}",
            lambda: f"{self.wrapped(depth, self.pick('str', 'int', 'float'))}|float" + self.pick("", "(1.5)", "(none)"),
            lambda: f"{self.wrapped(depth, self.pick('int', 'float'))}|round" + self.pick("", "(1)", "(2, 'floor')", "(0, 'ceil')", "(-1)", "(3)", "(1, 'up')"),
            lambda: f"{self.wrapped(depth, 'float')}|abs",
            lambda: f"-{self.wrapped(depth, 'float')}",
        )()

    def make_str(self, depth):
        if depth <= 0 or self.chance(0.2):
            return self.pick(*STRINGS)
        e, w = self.expression, self.wrapped
        i = lambda: self.pick("", "0", "1", "2", "-1", "-2", "5", "none", "n")
        method0 = ["upper", "lower", "title", "capitalize", "strip", "lstrip", "rstrip"]
        filter0 = ["upper", "lower", "title", "capitalize", "trim", "string", "reverse", "default", "center(9)", "center",
                   "replace('a', 'ZZ')", "replace('', '.')", "replace(s, t, 1)", "indent", "indent(2, true)", "indent(1, blank=true)",
                   "indent('>')", "truncate(5)", "truncate(4, true, '..', 0)", "trim('ab')", "d('e', true)", "escape|length", "first", "last",
                   "default(n)", "string|length", "join('-')", "format(1, 2)", "tojson", "count"]
        method1 = ["strip('ab ')", "lstrip('xa')", "rstrip('c\\n')", "replace('a', 'bb')", "replace('', '-', 2)", "removeprefix('a')",
                   "removesuffix(t)", "zfill(7)", "ljust(6, '.')", "rjust(6)", "center(7)", "join(words)", "join(['1', '2'])", "join(s)",
                   "format(n, x)", "format(1, 2, 3)", "split()[0]", "split(',')|join('/')", "rsplit(',', 1)|last", "partition(',')[0]",
                   "rpartition(',')|join('|')", "splitlines()|join('|')", "replace(t, s)"]
        spec = self.pick("{:>5}", "{:<4}|", "{:^7}", "{:05d}", "{:.2f}", "{!r}", "{0}{0}", "{a}", "{0[0]}", "{:,}", "{:+d}", "{:x}", "{:e}",
                         "{:.3}", "{:%}", "{{}}", "{0.x}", "{:*^6}", "{", "{}}", "{:g}", "{} {1}")
        percent = self.pick("%s", "%d", "%5s|", "%-5s|", "%05d", "%.2f", "%r", "%x", "%%", "%s %s", "%(a)s", "%c", "%+d", "%e", "%g", "%q", "%")
        return self.pick(
            lambda: f"{e(depth)} ~ {e(depth)}",
            lambda: f"{e(depth, 'str')} + {e(depth, 'str')}",
            lambda: f"{w(depth, 'str')} * {self.pick('0', '1', '3', '-1')}",
            lambda: f"{w(depth, 'str')}[{i()}:{i()}{self.pick('', ':', ':' + i())}]",
            lambda: f"{w(depth, 'str')}[{self.pick('0', '-1', '1', '9', 'n')}]",
            lambda: f"{w(depth, 'str')}.{self.pick(*method0)}()",
            lambda: f"{w(depth, 'str')}.{self.pick(*method1)}",
            lambda: f"{w(depth, self.pick('str', 'str', 'str', 'any', 'list', 'int'))}|{self.pick(*filter0)}",
            lambda: f"'{percent}' % {w(depth, self.pick('str', 'int', 'float', 'list', 'dict', 'any'))}",
            lambda: f"'{percent}' % ({e(depth)}, {e(depth)})",
            lambda: f"'{spec}'.format({e(depth)}, {e(depth)}{self.pick('', ', a=' + e(depth))})",
            lambda: f"{w(depth)}|tojson{self.pick('', '(indent=2)', '(true)', '(indent=1, sort_keys=true)', '(separators=(%s, %s))' % (repr(','), repr(':')), '(indent=0)', '(ensure_ascii=true)', '(indent=%s)' % repr('-'), '(4)')}",
            lambda: f"{w(depth, 'list')}|join({e(depth, 'str')})",
            lambda: f"people|join({e(depth, 'str')}, attribute='name')",
            lambda: f"{w(depth)}|string",
            lambda: f"{e(depth, 'str')} if {e(depth, 'bool')}{self.pick('', ' else ' + e(depth, 'str'))}",
            lambda: f"{self.pick('mac', 'mac2', 'mac3')}({e(depth)}{self.pick('', ', b=' + e(depth), ', ' + e(depth), ', c=1')})",
            lambda: f"loop.cycle({e(depth)}, {e(depth)})",
            lambda: "strftime_now('%d')",
        )()

    def make_list(self, depth):
        if depth <= 0 or self.chance(0.25):
            return self.pick(*LISTS)
        e, w = self.expression, self.wrapped
        i = lambda: self.pick("", "0", "1", "2", "-1", "-2", "5", "none", "n")
        test = self.pick("'odd'", "'even'", "'string'", "'defined'", "'gt', 1", "'in', [1, 2]", "'none'", "'==', 2", "'divisibleby', 2", "", "'nope'")
        attr_test = self.pick("'age'", "'name', 'equalto', 'bob'", "'age', 'gt', 26", "'name', 'in', words", "'x.y'", "'x', 'undefined'", "'age', '!=', 30", "")
        return self.pick(
            lambda: f"[{', '.join(e(depth) for _ in range(self.r.randrange(4)))}{self.pick('', '')}]",
            lambda: f"({e(depth)}, {e(depth)})",
            lambda: f"({e(depth)},)",
            lambda: f"{e(depth, 'list')} + {e(depth, 'list')}",
            lambda: f"{w(depth, 'list')} * {self.pick('0', '2', '-1')}",
            lambda: f"{w(depth, 'list')}[{i()}:{i()}{self.pick('', ':', ':' + i())}]",
            lambda: f"{w(depth, self.pick('list', 'list', 'dict', 'str'))}|{self.pick('list', 'sort', 'sort(reverse=true)', 'sort(true, true)', 'reverse|list', 'unique|list', 'dictsort', 'items|list')}",
            lambda: f"{w(depth, 'list')}|map({self.pick(repr('upper'), repr('string'), repr('int'), repr('length'), repr('default') + ', 1', 'attribute=0', repr('replace') + ', 1, 2', repr('nope'))})|list",
            lambda: f"{w(depth, 'list')}|{self.pick('select', 'reject')}({test})|list",
            lambda: f"people|{self.pick('selectattr', 'rejectattr')}({attr_test})|list",
            lambda: f"people|map(attribute={self.pick(repr('name'), repr('age'), repr('x'), repr('x') + ', default=1', repr('name.0'))})|list",
            lambda: f"people|sort(attribute={self.pick(repr('age'), repr('name'), repr('age,name'), repr('x'))})",
            lambda: f"{w(depth, 'str')}.{self.pick('split()', 'split(%r)' % ',', 'split(none, 1)', 'splitlines()', 'rsplit()', 'splitlines(true)', 'split(s)', 'partition(%r)' % 'a', 'rsplit(none, 1)', 'split(%r, 1)' % ' ', 'split(%r)' % '')}",
            lambda: f"{w(depth, 'dict')}.{self.pick('items()', 'keys()', 'values()')}{self.pick('', '|list')}",
            lambda: f"range({e(depth, 'int')}{self.pick('', ', ' + e(depth, 'int'), ', 5, 2', ', -3, -1')}){self.pick('', '|list')}",
            lambda: f"{w(depth, 'list')}|map({self.pick(repr('upper'), repr('string'))})|{self.pick('first', 'join', 'list|last')}",
        )()

    def make_dict(self, depth):
        if depth <= 0 or self.chance(0.4):
            return self.pick(*DICTS)
        e = self.expression
        return self.pick(
            lambda: "{" + ", ".join(f"{e(depth, self.pick('str', 'int'))}: {e(depth)}" for _ in range(self.r.randrange(4))) + "}",
            lambda: f"dict({self.pick('', 'nested, ')}a={e(depth)}, b={e(depth)})",
            lambda: f"dict({self.wrapped(depth, 'dict')}{self.pick('.items()', '|items', '|dictsort')})",
            lambda: f"people[{self.pick('0', '1', '-1')}]",
        )()

    def make_bool(self, depth):
        if depth <= 0 or self.chance(0.2):
            return self.pick(*BOOLS)
        e, w = self.expression, self.wrapped
        test = self.pick("defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "iterable", "sequence",
                         "odd", "even", "lower", "upper", "true", "false", "callable", "divisibleby(2)", "divisibleby 3", "eq(1)", "in [1, 2]",
                         "sameas none", "ne 2", "gt(1)", "le 5", "escaped", "filter", "test", "nope", "equalto 'a'")
        op = lambda: self.pick("==", "!=", "<", ">", "<=", ">=", "in", "not in")
        kind = self.pick("int", "str", "list", "any")
        return self.pick(
            lambda: f"{w(depth, kind)} {op()} {w(depth, kind)}",
            lambda: f"{w(depth, 'int')} {self.pick('<', '<=', '==')} {w(depth, 'int')} {self.pick('<', '>=', '!=')} {w(depth, 'float')}",
            lambda: f"{w(depth)} {self.pick('in', 'not in')} {w(depth, self.pick('list', 'dict', 'str'))}",
            lambda: f"{w(depth)} is {self.pick('', '', 'not ')}{test}",
            lambda: f"{e(depth, 'bool')} {self.pick('and', 'or')} {e(depth, 'bool')}",
            lambda: f"not {e(depth, 'bool')}",
            lambda: f"{w(depth, 'str')}.{self.pick('startswith', 'endswith')}({self.pick(e(depth, 'str'), '(%r, s)' % 'a', '%r, 1' % 'b')})",
            lambda: f"{w(depth, 'str')}.{self.pick('isdigit', 'isalpha', 'isspace', 'isupper', 'islower', 'isalnum', 'isdecimal', 'isnumeric')}()",
            lambda: f"loop.{self.pick('first', 'last', 'changed(n)')}",
        )()

    def make_any(self, depth):
        if depth <= 0 or self.chance(0.3):
            return self.pick(*ANY)
        e, w = self.expression, self.wrapped
        return self.pick(
            lambda: f"{w(depth, 'dict')}.{self.pick('k', 'name', 'a', 'missing', 'z', 'update') if self.chance(0.9) else 'get'}",
            lambda: f"{w(depth, 'dict')}[{e(depth, self.pick('str', 'int', 'any'))}]",
            lambda: f"{w(depth, 'dict')}.get({e(depth, 'str')}{self.pick('', ', ' + e(depth))})",
            lambda: f"{w(depth)} {self.pick('or', 'and')} {w(depth)}",
            lambda: f"{w(depth, 'any')}|default({e(depth)}{self.pick('', ', true')})",
            lambda: f"{w(depth, 'list')}|{self.pick('first', 'last', 'min', 'max')}",
            lambda: f"loop.{self.pick('index', 'index0', 'revindex', 'length', 'depth', 'previtem', 'nextitem', 'depth0', 'revindex0', 'nope')}",
            lambda: f"{w(depth)}[{self.pick('0', '-1', repr('a'), 'none', '1.5')}]",
            lambda: f"caller({self.pick('', e(depth))})",
            lambda: "varargs|length", lambda: "kwargs.c",
        )()

    # Statements.

    def tag(self, inside):
        open_, close = self.pick("", "", "", "-", "+"), self.pick("", "", "", "-", "+")
        return "{%" + open_ + " " + inside + " " + close + "%}"

    def output(self, depth):
        return "{{" + self.pick("", "", "-") + " " + self.expression(depth) + " " + self.pick("", "", "-") + "}}"

    def text(self):
        return self.pick("text", " ", "\n", "  \n  ", "a\n", "\t", "x\n\n  y", "{ }", "\r\n", "{# note #}", "{#- note -#}", "  {# c\n #}\n",
                         "{% raw %} {{ x }} {% endraw %}", "{%- raw -%}\n {%if%}\n{%- endraw +%}\n", "", "%}", "}}", "#")

    def block(self, depth, in_loop=False):
        return "".join(self.statement(depth, in_loop) for _ in range(self.r.randrange(1, 4)))

    def statement(self, depth, in_loop=False):
        e, b, t = self.expression, self.block, self.tag
        if depth <= 0:
            return self.pick(self.text, lambda: self.output(2))()
        d = depth - 1
        name = self.pick(*NAMES)
        loop_extra = lambda: self.pick("", "", " if " + e(2, "bool"))
        options = [
            self.text,
            lambda: self.output(3),
            lambda: self.output(4),
            lambda: t(f"if {e(3, 'bool')}") + b(d, in_loop) + self.pick("", t(f"elif {e(2, 'bool')}") + b(d, in_loop)) + self.pick("", t("else") + b(d, in_loop)) + t("endif"),
            lambda: t(f"for {self.pick('i', 'v', 's')} in {e(2, self.pick('list', 'list', 'str', 'dict'))}{loop_extra()}") + b(d, True) + self.pick("", t("else") + b(d, in_loop)) + t("endfor"),
            lambda: t(f"for {self.pick('k, v', '(k, v)', 'k, (a, b)')} in {e(2, 'dict')}.items(){loop_extra()}") + b(d, True) + "{{ k }}={{ v }}" + t("endfor"),
            lambda: t("for i in [[1, [2, 3]], [4]] recursive") + self.pick("{{ loop(i) if i is iterable else i }}", "{{ loop.depth }}{{ loop(i[1:]) if i[1] is defined }}", "{% if i is sequence %}({{ loop(i) }}){% else %}" + self.output(2) + "{% endif %}") + t("endfor"),
            lambda: t(f"set {name} = {e(3)}") + self.pick("", "{{ " + name + " }}"),
            lambda: t(f"set a, b = {e(1)}, {e(1)}") + "{{ a }}{{ b }}",
            lambda: t(f"set ns.{self.pick('v', 'w')} = {e(3)}"),
            lambda: t(f"set {name}{self.pick('', ' | upper', ' | trim | length')}") + b(d) + t("endset") + "[{{ " + name + " }}]",
            lambda: t(f"macro {self.pick('mac', 'mac2', 'mac3')}({self.pick('a', 'a, b=1', 'a, b=a', '', 'a=2, b=n')})") + b(d) + self.pick("", "{{ caller() }}", "{{ varargs }}{{ kwargs }}", "{{ b }}") + t("endmacro"),
            lambda: t(f"call{self.pick('', '(a)')} {self.pick('mac', 'mac2', 'mac3')}({e(2)})") + b(d) + t("endcall"),
            lambda: t(f"filter {self.pick('upper', 'trim', 'indent(2)', 'replace(%r, %r)' % ('a', 'b'), 'length', 'title|trim')}") + b(d) + t("endfilter"),
            lambda: t(f"with {name} = {e(2)}, b = {e(1)}") + b(d, in_loop) + t("endwith"),
            lambda: t("generation") + b(d) + t("endgeneration"),
        ]
        if in_loop:
            options += [lambda: t(f"if {e(2, 'bool')}") + t(self.pick("break", "continue")) + t("endif")]
        return self.r.choice(options)()

    def template(self):
        head = "{% set ns = namespace(v=1, w=[]) %}{% macro mac(a, b='d') %}<{{ a }}{{ b }}>{% endmacro %}"
        head += "{% macro mac2(a) %}{{ caller(a) if caller else a }}{% endmacro %}{% macro mac3(a, b) %}{{ varargs }}{{ kwargs }}{% endmacro %}"
        body = "".join(self.statement(self.r.randrange(1, 4)) for _ in range(self.r.randrange(1, 4)))
        if self.chance(0.04):  # damage
            at = self.r.randrange(len(body) + 1)
            body = body[:at] + self.pick("{", "}", "%}", "(", "'", "|", ",", ".", " ") + body[at + self.r.randrange(2):]
        return head + body

    def context(self):
        r = self.r
        word = lambda: "".join(r.choice(["α", "Β", "γ", "ς", "Σ", "a", "B", " ", "ΐ", "\n", "-", "<", "1", "'"]) for _ in range(r.randrange(0, 7)))
        return {
            "n": r.choice([0, 1, 5, -3, 12]), "m": r.choice([2, 7]), "x": r.choice([1.5, -2.25, 0.1, 1e16, 3.0, 1e-7]),
            "s": word(), "t": word() or "τ", "u": r.choice(["  λόγος \n", "ένα\nδύο\r\nτρία\n\n", "Ωμέγα-μέγα (ω) \t", "ß\u00a0ŉ\u2003x\x85", "\x1cΔ'\"\\"]),
            "items": [r.randrange(-2, 9) for _ in range(r.randrange(1, 5))], "words": ["β", "Άλφα", "c", word()],
            "mixed": [1, "δύο", 2.5, None, True, [3, "ε"], {"ζ": "η"}], "empty": [], "flag": r.random() < 0.5, "nothing": None,
            "nested": {"a": {"b": [1, 2.5, None, True]}, "z": word(), "ω": "κ"},
            "people": [{"name": "Άννα", "age": 30}, {"name": "bob", "age": 25}, {"name": "Γ", "age": 30, "x": {"y": 1}}],
        }


def case(seed):
    generator = Generator(seed)
    return {"template": generator.template(), "context": generator.context(), "date": jinja_environment.DATE}


def answers(program, cases):
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, _ = process.communicate("".join(json.dumps(c) + "\n" for c in cases).encode())
    lines = out.decode().split("\n")[:-1] if process.returncode == 0 else []
    if len(lines) != len(cases):
        raise SystemExit(f"{program} stopped with status {process.returncode} after {len(lines)} of {len(cases)}")
    return [json.loads(line) for line in lines]


def unmarked_greek(answer):
    """The position of a Greek letter that is not marked as input, or None."""
    data = answer["text"]
    marks = bytearray(len(data.encode()))
    for begin, end in answer["input"]:
        marks[begin:end] = b"\1" * (end - begin)
    for match in GREEK.finditer(data):
        begin = len(data[:match.start()].encode())
        if 0 in marks[begin:begin + len(match.group().encode())]:
            return match.start()
    return None


def slices_constant(env, template):
    """Whether a constant without slices is sliced in it: 1.5[0:1]."""
    context = jinja2.nodes.EvalContext(env)
    for node in env.parse(template).find_all(jinja2.nodes.Getitem):
        if not isinstance(node.arg, jinja2.nodes.Slice):
            continue
        try:
            if isinstance(node.as_const(context), jinja2.Undefined):
                return True
        except jinja2.nodes.Impossible:
            pass
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=20, help="how many differences are shown")
    parser.add_argument("--only", type=int, help="one case, by its number")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    env = jinja_environment.environment()
    count = dict.fromkeys(["texts", "errors", "address", "big numbers", "constant slices", "different", "unmarked"], 0)
    numbers = [args.only] if args.only is not None else list(range(args.cases))
    for begin in range(0, len(numbers), 2000):
        part = numbers[begin:begin + 2000]
        cases = [case(args.seed * 1_000_003 + number) for number in part]
        for number, c, answer in zip(part, cases, answers(args.program, cases)):
            expected = jinja_environment.render(env, c["template"], c["context"])
            text = answer.get("text")
            bad = text is not None and unmarked_greek(answer) is not None
            if bad:
                count["unmarked"] += 1
            elif expected == text:
                count["texts" if text is not None else "errors"] += 1
                continue
            elif expected is not None and (ADDRESS.search(expected) or "cannot be printed" in answer.get("error", "")):
                count["address"] += 1
                continue
            elif expected is not None and text is None and re.search(r"\d{19}", expected) or "too large" in answer.get("error", ""):
                count["big numbers"] += 1
                continue
            elif "cannot be sliced" in answer.get("error", "") and expected is not None and slices_constant(env, c["template"]):
                count["constant slices"] += 1
                continue
            else:
                count["different"] += 1
            if count["different"] + count["unmarked"] <= args.show:
                print(f"case {number}{' (input not marked)' if bad else ''}\n  template {c['template'].split('{{ kwargs }}{% endmacro %}', 1)[-1]!r}\n"
                      f"  context  {c['context']}\n  jinja2   {expected!r}\n  ogas     {text!r} {answer.get('error', '')}")
    print(", ".join(f"{n} {name}" for name, n in count.items()))
    return 1 if count["different"] or count["unmarked"] else 0


if __name__ == "__main__":
    sys.exit(main())
