#!/usr/bin/env python3
"""Renders templates with Python's jinja2; writes OUT/jinja_cases.json and OUT/chat_templates.json.

    make_jinja_goldens.py OUT [--templates tests/data/text/templates]        (pip install jinja2)
    make_jinja_goldens.py OUT --show LFM2-8B-A1B.jinja 4       # shows why a test fails

jinja_cases.json: small templates, one language feature each, with their input and output (or that they fail).
chat_templates.json: every template of published models at hand, on several conversations: length and FNV-1a hash of the
output, or that it fails; and on a conversation of 2 MB. The environment is the one transformers uses for chat templates.
"""
import argparse
import difflib
import json
import pathlib
import subprocess
import sys

from jinja_environment import DATE, environment, render

DATA = {
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi, Zoë! <b>\n"},
                 {"role": "assistant", "content": "Hello\t\"you\"."}],
    "items": [3, 1, 2], "words": ["b", "A", "c"], "nested": {"a": {"b": [1, 2.5, None, True]}, "z": "ü"},
    "empty": [], "text": "  padded text  ", "n": 7, "x": 1.5, "flag": True, "nothing": None, "bos_token": "<s>",
    "people": [{"name": "Ann", "age": 30}, {"name": "bob", "age": 25}, {"name": "Cy", "age": 30}],
}

CASES = r"""
{{ '\b\f\x01\x1f\\/"\n\r\t\x7f'|tojson }} {{ '\U0001F600\u200b\b'|tojson(true) }} {{ ['\b\x7f\u200b\U000E0001"', "'"] }}
{% set s = 'x' %}{% set t = s %}{% set s = s ~ 'y' ~ n %}{% set u = s %}{% set s = s ~ s %}{{ s }} {{ t }} {{ u }}
{% set ns = namespace(s='x', l=[]) %}{% set ns.l = [ns.s] %}{% for i in range(3) %}{% set ns.s = ns.s ~ i ~ ns.s %}{% set ns.l = ns.l + [ns.s] %}{% endfor %}{{ ns.s }} {{ ns.l }}
{% set ns = namespace(s='x') %}{% macro m() %}{% set ns.s = ns.s ~ '!' %}{% set ns.new = 1 %}{{ ns.s }}{% endmacro %}{% set ns.s = ns.s ~ m() ~ m() %}{{ ns.s }}
{% set s = 'lit' %}{% for i in range(2) %}{% set s = s ~ i %}{{ s }}{% endfor %}{{ s }}{% for i in range(2) %}{% set t = 'lit' ~ i %}{{ t }}{% endfor %}
{% set text = text ~ 'more' %}{{ text }}{% set s = '<'|e %}{% set s = s ~ '&' %}{{ s }}{% set n = n ~ 1 %}{{ n }}{% set q = q ~ 'q' %}{{ q }}
{% if false %}{{ {[1]: 2}.items() }}{% endif %}unreached
{% if false %}{{ {[1]: 2} }}{{ [{(1, {}): 2}] }}{% endif %}unreached
{% if false %}{% for k, v in {'a': n, (1, [2]): 3}.items() %}{% endfor %}{% endif %}unreached
{% if false %}{% for k, v in {(1, [2]): 3, 'a': n}.items() %}{% endfor %}{% endif %}unreached
{% if false %}{{ {[n]: 2}.a }}{% set s = {[1]: 2} %}{% endif %}unreached
text {#
text {#-
{% raw %}
{% for i in [[1, [2, 3]], [4]], recursive %}{{ loop(i) if i is iterable else i }}{% endfor %}
{% for i in [[1, [2, 3]], [4]], recursive %}{% for j in i %}{{ j }};{% endfor %}{% endfor %}
{{ '  a b  c  '.split(none, 1) }} {{ '  a b  c  '.rsplit(none, 1) }} {{ '  a  '.split(none, 0) }} {{ ' a '.rsplit(none, 0) }}
{% for i in range(5) %}{{ i }}{{ 2 in loop }}{{ loop.index }}{% endfor %}
{% for i in range(3) %}{{ i }}{% for j in loop %}{{ j[0] }},{% endfor %}.{% endfor %}
{% set ns = namespace(l=none) %}{% for i in range(3) %}{% set ns.l = loop %}{% endfor %}{{ ns.l.index }}{{ ns.l.previtem }}
{% if false %}{% filter upper %}{{ (1 < 2) or (x is nope) }}{% endfilter %}{% endif %}ok
{% filter upper %}{{ (1 > 2 and x|nope) or 'a' }}{% endfilter %}
{% filter upper %}{{ n or (x is nope) }}{% endfilter %}
{% for a, in [[1]] %}{{ a }}{% endfor %}
{% for (a,) in [[1]] %}{{ a }}{% endfor %}
{% set a, = [1] %}{{ a }}
{% set (a,) = [1] %}{{ a }}
{{ 'aXbXc'.partition('X') }} {{ 'aXbXc'.rpartition('X') }} {{ 'abcabc'.rfind('bc') }} {{ 'aaa'.count('aa') }} {{ 'abc'.rfind('') }} {{ ''.find('') }}
{{ 'äöüäöüäöü12345678ß'|length }} {{ '1234567é'|length }} {{ '12345678é'|length }}
{{ n }} {{ x }} {{ flag }} {{ nothing }} {{ items }} {{ nested }} {{ missing }}|
{{ 1 + 2 * 3 - 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 2 ** 10 }} {{ 2 ** 3 ** 2 }} {{ 7 / 2 }}
{{ 1e3 }} {{ 1.0 }} {{ 1e16 }} {{ 1e-5 }} {{ 0.1 + 0.2 }} {{ 123456789.125 }} {{ 1_000 }} {{ 1e100 }}
{{ -n }} {{ +n }} {{ -n|abs }} {{ (-n)|abs }} {{ not n }} {{ not missing }}
{{ 'a' ~ 1 ~ none ~ true }} {{ 'a' 'b' }} {{ "it's" }} {{ 'say "x"' }} {{ '\n\t\\\x41\u00e9' }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ none == missing }} {{ 1 != 2 }}
{{ 1 in items }} {{ 'x' not in 'text' }} {{ 'a' in nested }} {{ not 1 in items }}
{{ 1 and 2 }} {{ 0 and 2 }} {{ 0 or 'x' }} {{ '' or none }} {{ missing or 'default' }}
{{ 'yes' if flag else 'no' }} {{ 'yes' if not flag }}| {{ 1 if n > 100 else 2 if n > 5 else 3 }}
{{ nested.a.b[1] }} {{ nested['a']['b'][0] }} {{ messages[-1].role }} {{ messages[0]['content'] }} {{ items.0 }} {{ items[10] }}
{{ items[1:] }} {{ items[:-1] }} {{ items[::-1] }} {{ 'abcdef'[1:5:2] }} {{ 'Zoë'[::-1] }} {{ items[5:] }} {{ 'héllo'[1] }} {{ items[-10:2] }}
{{ [1, 'a', [2.0, none]] }} {{ (1, 2)|list }} {{ {'k': 'v', 'l': {'m': 1}} }} {{ {} }} {{ [] }}
{% if n > 5 %}big{% elif n > 2 %}mid{% else %}small{% endif %}
{% for i in items %}{{ loop.index }}/{{ loop.length }}:{{ i }}{{ ',' if not loop.last }}{% endfor %}
{% for i in items %}{{ loop.index0 }} {{ loop.revindex }} {{ loop.revindex0 }} {{ loop.first }} {{ loop.last }} {{ loop.previtem }} {{ loop.nextitem }} {{ loop.depth }};{% endfor %}
{% for k, v in nested.items() %}{{ k }}={{ v }};{% endfor %}
{% for i in empty %}x{% else %}none at all{% endfor %}
{% for m in messages if m.role != 'system' %}{{ loop.index }}{{ m.role }} {% endfor %}
{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% for i in range(2, 10, 3) %}{{ i }} {% endfor %}{{ range(3)|list }} {{ range(5, 0, -2)|list }}
{% for i in [1, 2] %}{% for j in [3, 4] %}{{ loop.index }}{{ i }}{{ j }} {% endfor %}{% endfor %}
{% for i in items %}{{ loop.cycle('odd', 'even') }} {% endfor %}{% for i in [1, 1, 2] %}{{ loop.changed(i) }} {% endfor %}
{% for c in 'aé' %}[{{ c }}]{% endfor %}{% for k in nested %}{{ k }}{% endfor %}{% for i in missing %}x{% endfor %}
{% for x in [[1, [[2, []], [3, []]]]] recursive %}({{ x[0] }}{{ loop(x[1]) }}{{ loop.depth }}){% endfor %}
{% set a = 1 %}{% set b, c = [2, 3] %}{{ a }}{{ b }}{{ c }}{% for i in [9] %}{% set a = i %}{{ a }}{% endfor %}{{ a }}
{% set ns = namespace(count=0, found=false) %}{% for i in items %}{% set ns.count = ns.count + i %}{% endfor %}{{ ns.count }} {{ ns.found }} {{ ns.missing }}|
{% set block %}inner {{ n }}{% endset %}[{{ block }}]{% set up | upper %}loud{% endset %}{{ up }}
{% if true %}{% set inside = 5 %}{% endif %}{{ inside }}
{% macro greet(name, greeting='Hello', mark) %}{{ greeting }} {{ name }}{{ mark }}{% endmacro %}
{% macro greet(name, greeting='Hello') %}{{ greeting }} {{ name }}!{% endmacro %}{{ greet('Ann') }} {{ greet('Bob', greeting='Hi') }} {{ greet(name='Cy') }}
{% macro m(x) %}{{ x }}{{ n }}{% if x > 0 %}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(3) }}
{% macro wrap(tag) %}<{{ tag }}>{{ caller() }}</{{ tag }}>{% endmacro %}{% call wrap('b') %}bold {{ n }}{% endcall %}
{% filter upper %}some {{ n }} text{% endfilter %}
{% raw %}{{ not evaluated }} {% if %}{% endraw %}{# a comment #}|
{% generation %}said{% endgeneration %}
  {% if true %}  
   indented
  {% endif %}  
tail
{%- if true -%}   x   {%- endif -%}   y
a   {{- 1 -}}   b
   {%+ if true %}kept{% endif %}
{% if true +%}
newline kept{% endif %}
line
{# comment on its own line #}
next {# in line #} end
{{ text|trim }}|{{ text.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ text.lstrip() }}|{{ text.rstrip() }}|{{ ''.strip() }}|
{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a b c'.split(' ', 1) }} {{ ' a b c'.split(none, 1) }} {{ 'l1\nl2\n'.splitlines() }}
{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'c')) }} {{ 'aXbX'.replace('X', '-') }} {{ 'aaa'.replace('a', 'b', 2) }} {{ 'ab'.replace('', '.') }}
{{ 'abc'.upper() }} {{ 'ABC'.lower() }} {{ 'hello world'.title() }} {{ 'hELLO'.capitalize() }} {{ 'a-b'.join(['1', '2']) }} {{ 'abcb'.find('b') }} {{ 'abcb'.rfind('b') }} {{ 'abcb'.count('b') }} {{ 'é1'.find('1') }}
{{ '12'.isdigit() }} {{ 'ab'.isalpha() }} {{ ' '.isspace() }} {{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.py'.removesuffix('.py') }}
{{ nested.keys()|list }} {{ nested.get('q') }} {{ nested.get('q', 'dflt') }} {{ nested.get('z') }} {{ {'a': 1}.values()|list }}
{{ words|sort }} {{ words|sort(reverse=true) }} {{ words|sort(case_sensitive=true) }} {{ people|sort(attribute='age')|map(attribute='name')|join(', ') }}
{{ words|join('-') }} {{ items|join }} {{ people|join(', ', attribute='name') }} {{ words|first }} {{ words|last }} {{ words|length }} {{ 'Zoë'|length }} {{ nested|count }}
{{ words|map('upper')|list }} {{ people|map(attribute='age')|sum }} {{ items|sum }} {{ people|selectattr('age', 'equalto', 30)|map(attribute='name')|list }} {{ people|rejectattr('age', 'gt', 26)|list|length }}
{{ items|select('odd')|list }} {{ items|reject('odd')|list }} {{ [0, 1, '']|select|list }} {{ people|selectattr('name')|list|length }}
{{ missing|default('d') }} {{ ''|default('d') }}| {{ ''|default('d', true) }} {{ none|default('d') }} {{ missing|d }}|
{{ nested|tojson }} {{ messages|tojson }} {{ 'é"\n'|tojson }} {{ 1.0|tojson }} {{ none|tojson }} {{ []|tojson }}
{{ nested|tojson(indent=2) }}
{{ {'b': 1, 'a': [1, 2]}|tojson(indent=4, sort_keys=true) }} {{ [1, 2]|tojson(separators=(',', ':')) }} {{ {'b': 1, 'a': 2}|tojson(separators=(',', ':'), indent=none) }}
{{ '3'|int }} {{ 'x'|int }} {{ 'x'|int(5) }} {{ 3.9|int }} {{ '2.5'|float }} {{ 3|float }} {{ 3|string + 'x' }} {{ 2.5|round }} {{ 2.567|round(2) }} {{ 2.1|round(0, 'ceil') }}
{{ 'a b'|upper }} {{ 'A B'|lower }} {{ 'a bc'|title }} {{ 'aBC'|capitalize }} {{ 'abc'|replace('b', 'x') }} {{ 'abc'|reverse }} {{ items|reverse|list }} {{ 'abc'|list }}
{{ '<a href="x">&\''|escape }} {{ '<b>'|safe }} {{ '<b>'|e }}
{{ 'l1\nl2\n\nl3'|indent }} {{ 'l1\nl2'|indent(2, true) }} {{ 'a\n\nb'|indent(1, blank=true) }}
{{ {'b': 2, 'A': 1}|dictsort }} {{ nested|items|list|length }} {{ [1, 2, 1, 'a', 'A']|unique|list }} {{ items|min }} {{ items|max }} {{ empty|first }}|
{{ missing is defined }} {{ n is defined }} {{ nothing is none }} {{ n is number }} {{ 'x' is string }} {{ nested is mapping }} {{ items is sequence }} {{ items is iterable }} {{ n is odd }} {{ n is not even }} {{ flag is true }} {{ flag is boolean }} {{ n is integer }} {{ x is float }}
{{ 3 is divisibleby 3 }} {{ 3 is eq 3 }} {{ 1 is in items }} {{ 'a' is lower }} {{ range is callable }} {{ missing is undefined }} {{ 4 is sameas 4 }}
{{ 'a' is string and 1 is number or false }} {{ n is defined and n > 5 }} {{ (n is defined) == true }} {{ messages[0].name is defined }} {{ messages[0].role is defined }}
{{ 'abc' * 2 }} {{ [1] * 3 }} {{ [1] + [2] }} {{ 'a' + 'b' }} {{ '%s is %d' % ('x', 3) }} {{ 'pct: %s' % n }}
{{ dict(a=1, b='x') }} {{ namespace(a=1).a }} {{ strftime_now('%d %b %Y') }}
{{ missing.attribute }}
{{ 'a' + 1 }}
{{ raise_exception('no') }}
{{ 1 / 0 }}
{{ unknown_function() }}
{{ items.append(4) }}
{{ n|no_such_filter }}
{{ 1 < 'a' }}
{% if %}x{% endif %}
{% for i in items %}x
{% endfor %}
{{ (1 }}
{{ 'open }}
{# open
{% unknown %}
{{ x y }}
{% break %}
""".strip("\n").split("\n")

# Several lines each: white space control.
BLOCKS = [
    "text {# ",
    "  {% if true %}  \n   indented\n  {% endif %}  \ntail\n",
    "a\n{%- if true -%}\n   x   \n{%- endif -%}\n   y\n\n",
    "a\n   {%+ if true %}kept{% endif %}\n b",
    "{% if true +%}\nnewline kept{% endif %}\nend\n",
    "line\n{# comment on its own line #}\nnext {# in line #} end\n",
    "{% for i in items %}\n  {{ i }}\n{% endfor %}\ndone",
    "{% raw %}\n  {{ x }}\n{% endraw %}\nafter",
    "  {{ n }}  \n  {{- n }}\n {{ n -}}  \n x\r\n",
    "{% set x %}\nfoo\n{% endset %}[{{ x }}]\n\n",
]

# No template contains Ω, so one in the output came from the conversation.
USER = {"role": "user", "content": "What is 2 + 2 Ω?"}
SYSTEM = {"role": "system", "content": "Be brief Ω."}
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "The weather of a city Ω",
        "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "A city"},
                       "days": {"type": "integer", "enum": [1, 2]}}, "required": ["city"]}}}
TOOL2 = {"type": "function", "function": {"name": "add", "description": "Adds", "parameters": {"type": "object", "properties": {
         "a": {"type": ["number", "null"], "default": 1.5}, "list": {"type": "array", "items": {"type": "string"}},
         "o": {"type": "object", "properties": {"x": {"type": "boolean"}}}}, "required": []},
         "return": {"type": "number", "description": "The sum"}}}


def call(arguments, *more, **fields):
    calls = [{"id": f"call_{n}23456", "type": "function", "function": {"name": "get_weather", "arguments": a}}
             for n, a in enumerate((arguments, *more))]
    return {"role": "assistant", "content": "", "tool_calls": calls, **fields}


def result(n, content="{\"sky\": \"blau Ω\"}"):
    return {"role": "tool", "name": "get_weather", "tool_call_id": f"call_{n}23456", "content": content}


CITY = {"city": "Zürich Ω", "days": 2}
PARTS = {"role": "user", "content": [{"type": "text", "text": "First Ω."}, {"type": "text", "text": " Second\n"}]}
IMAGE = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is shown Ω?"}]}
CONVERSATIONS = [
    {"messages": [USER], "add_generation_prompt": True},
    {"messages": [SYSTEM, USER, {"role": "assistant", "content": "4"}, {"role": "user", "content": " And 3 + 3?\n"}],
     "add_generation_prompt": True},
    {"messages": [USER, {"role": "assistant", "content": "<think>\nEasy Ω.\n</think>\n\nFour"}], "add_generation_prompt": False},
    {"messages": [USER], "add_generation_prompt": True, "enable_thinking": False, "reasoning_effort": "low"},
    {"messages": [{"role": "user", "content": "Weather?"}, call(CITY), result(0), {"role": "assistant", "content": "Blue."}],
     "tools": [TOOL], "add_generation_prompt": True},
    {"messages": [SYSTEM, PARTS, {"role": "assistant", "content": [{"type": "text", "text": "Third"}]}, USER],
     "add_generation_prompt": True},
    {"messages": [USER, {"role": "assistant", "content": "4", "reasoning_content": "Two and two Ω."}, USER,
                  {"role": "assistant", "content": "Still 4", "reasoning_content": "Again", "thinking": "Again"}],
     "add_generation_prompt": False, "enable_thinking": True},
    {"messages": [SYSTEM, USER], "tools": [TOOL, TOOL2], "add_generation_prompt": True, "enable_thinking": True},
    {"messages": [USER], "documents": [{"title": "T Ω", "text": "Long text"}, {"title": "U", "text": "x", "contents": "y"}],
     "date_string": "1 Jan 2026", "add_generation_prompt": True},
    {"messages": [USER, call('{"city": "Bern Ω"}', '{"city": "Wien"}', content="Let me look."), result(0), result(1, "rain"), USER],
     "tools": [TOOL], "add_generation_prompt": True, "enable_thinking": False},
    {"messages": [USER, USER], "add_generation_prompt": True},
    {"messages": [{"role": "assistant", "content": "Hello Ω!"}, USER], "add_generation_prompt": True},
    {"messages": [SYSTEM, USER], "tools": [TOOL], "builtin_tools": ["brave_search", "code_interpreter"],
     "tools_in_user_message": False, "date_string": "1 Jan 2026", "add_generation_prompt": True},
    {"messages": [], "add_generation_prompt": True},
    {"messages": [USER, call(CITY, reasoning_content="Must look Ω.", thinking="Must look Ω."), result(0, [{"type": "text", "text": "sun"}])],
     "tools": [TOOL], "add_generation_prompt": True, "enable_thinking": True, "reasoning_effort": "high"},
    {"messages": [IMAGE], "add_generation_prompt": True},
    {"messages": [{"role": "developer", "content": "Rules Ω"}, USER], "add_generation_prompt": False, "reasoning_effort": "high"},
    {"messages": [{"role": "system", "content": "/no_think Be <kind>."}, {"role": "user", "content": "Hi /think <|im_end|> Ω"},
                  {"role": "assistant", "content": "  Hello\n\n"}, {"role": "user", "content": "<think>x</think> bye"}],
     "add_generation_prompt": True, "thinking": True, "model_identity": "You are X Ω.", "user_system_prompt": "Y"},
]


def fnv1a(text):
    value = 0xCBF29CE484222325
    for byte in text.encode("utf-8", "surrogatepass"):
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def variables(conversation):
    return {"tools": None, "documents": None, "bos_token": "<BOS>", "eos_token": "<EOS>", **conversation}


def long_conversation():
    """200 messages, 2 MB; jinja_test.cc makes the same."""
    messages = []
    for turn in range(200):
        line = f"Message {turn} of Zoë's.\n"
        content = line * -(-10_400 // len(line.encode()))
        messages.append({"role": "assistant" if turn % 2 else "user", "content": content})
    return variables({"messages": messages, "add_generation_prompt": True})


def show_difference(path, conversation, program):
    data = variables(conversation)
    request = json.dumps({"template": path.read_text(), "context": data, "date": DATE}) + "\n"
    answer = json.loads(subprocess.run([program], input=request.encode(), capture_output=True, check=True).stdout)
    expected = render(environment(), path.read_text(), data)
    ours = answer.get("text")
    print("jinja2 fails" if expected is None else "", f"ogas fails: {answer['error']}" if ours is None else "")
    sys.stdout.writelines(difflib.unified_diff((expected or "").splitlines(True), (ours or "").splitlines(True), "jinja2", "ogas"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--templates", type=pathlib.Path, default=pathlib.Path("tests/data/text/templates"))
    parser.add_argument("--show", nargs=2, metavar=("TEMPLATE", "CONVERSATION"),
                        help="write nothing; show how one rendering differs, by the file's name and a number")
    parser.add_argument("--program", default="build/release/tests/jinja_render")
    args = parser.parse_args()
    if args.show:
        return show_difference(args.templates / args.show[0], CONVERSATIONS[int(args.show[1])], args.program)
    args.out.mkdir(parents=True, exist_ok=True)
    env = environment()
    cases = [{"template": source, "output": render(env, source, DATA)} for source in CASES + BLOCKS]
    (args.out / "jinja_cases.json").write_text(
        json.dumps({"data": DATA, "date": DATE, "cases": cases}, ensure_ascii=False, indent=1) + "\n")
    templates = {}
    for path in sorted(args.templates.glob("*.jinja")):
        outputs = []
        for conversation in CONVERSATIONS:
            text = render(env, path.read_text(), variables(conversation))
            outputs.append(None if text is None else [len(text.encode()), fnv1a(text)])
        templates[path.name] = outputs
    long_outputs = {}
    for path in sorted(args.templates.glob("*.jinja")):
        text = render(env, path.read_text(), long_conversation())
        long_outputs[path.name] = None if text is None else [len(text.encode()), fnv1a(text)]
    long_rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(output)}" for name, output in long_outputs.items())
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(outputs)}" for name, outputs in templates.items())
    (args.out / "chat_templates.json").write_text(
        f'{{"date": {json.dumps(DATE)},\n "conversations": {json.dumps(CONVERSATIONS, ensure_ascii=False)},\n "templates": {{\n{rows}\n}},\n "long": {{\n{long_rows}\n}}}}\n')


if __name__ == "__main__":
    main()
