#!/usr/bin/env python3
"""Calls of tools on the cases of BFCL (Berkeley's function-calling leaderboard): how many parse and satisfy their schema,
and how many name the right function. Or the speed of an answer that has a form, next to a free one.

    bench/tool_calls.py --cases FOLDER [--model MODEL] [--template FILE] [--count 100] [--users 8] [--json]
    bench/tool_calls.py --form 50 [--model MODEL]      an object of N required fields
    bench/tool_calls.py --masks 200 [--model MODEL]    N tokens of texts in JSON

--cases: the folder of BFCL_v4_*.json (Apache-2.0; not part of this project). For each category the first --count cases.
Each has to be answered by calls (tool_choice "required"). A call counts as valid if it parses and jsonschema accepts its
arguments; answers that are cut by --max-tokens are counted apart. Exit code 1 where an answer that was not cut is invalid.
--form: names of fields are forced, and cost no pass of their own. --masks: nothing is forced, so this is what masks cost.
Needs jsonschema.
"""
import argparse
import concurrent.futures
import json
import pathlib
import statistics
import sys
import time
import urllib.request

import jsonschema

from serving import add_arguments, serving

CATEGORIES = ("simple_python", "simple_java", "simple_javascript", "multiple", "parallel", "parallel_multiple", "live_simple",
              "live_multiple", "live_parallel", "live_parallel_multiple")
# BFCL's own names of types.
TYPES = {"dict": "object", "hashmap": "object", "map": "object", "float": "number", "double": "number", "long": "integer",
         "short": "integer", "byte": "integer", "tuple": "array", "list": "array", "arraylist": "array", "bool": "boolean",
         "char": "string", "bigint": "integer"}


def schema_of(given):
    """A JSON Schema: BFCL has types of other languages."""
    if isinstance(given, list):
        return [schema_of(each) for each in given]
    if not isinstance(given, dict):
        return given
    result = {}
    for key, value in given.items():
        if key == "properties" and isinstance(value, dict):
            result[key] = {name: schema_of(each) for name, each in value.items()}
        elif key == "type" and isinstance(value, str):
            name = TYPES.get(value.lower(), value.lower())
            if name != "any":
                result[key] = name
        elif key in ("items", "additionalProperties", "anyOf"):
            result[key] = schema_of(value)
        elif key in ("required", "enum", "description", "minimum", "maximum"):
            result[key] = value
    if "enum" in result:  # of other types than it says, now and then
        result.pop("type", None)
    return result


def tools_of(case):
    return [{"type": "function", "function": {"name": one["name"].replace(".", "_"), "description": one.get("description", ""),
                                              "parameters": schema_of(one["parameters"])}} for one in case["function"]]


def read_cases(folder, category, count):
    lines = (folder / f"BFCL_v4_{category}.json").read_text().splitlines()
    return [json.loads(line) for line in lines[:count]]


def ask(url, body):
    request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as reply:
        return json.load(reply)


def right_names(folder, category):
    path = folder / "possible_answer" / f"BFCL_v4_{category}.json"
    if not path.exists():
        return {}
    answers = (json.loads(line) for line in path.read_text().splitlines())
    return {one["id"]: sorted(name.replace(".", "_") for call in one["ground_truth"] for name in call) for one in answers}


def check_calls(reply, tools):
    """What is wrong with the calls of an answer, or None."""
    choice = reply["choices"][0]
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
    calls = choice["message"].get("tool_calls") or []
    if choice["finish_reason"] == "length":
        return "cut"
    if not calls:
        return "no call"
    for call in calls:
        try:
            jsonschema.validate(json.loads(call["function"]["arguments"]), schemas[call["function"]["name"]])
        except (ValueError, KeyError, jsonschema.ValidationError) as error:
            return str(error)[:200]
    return None


def run_category(url, options, category):
    cases = read_cases(options.cases, category, options.count)
    names = right_names(options.cases, category)

    def run(case):
        tools = tools_of(case)
        messages = [message for turn in case["question"] for message in turn]
        body = {"messages": messages, "tools": tools, "tool_choice": "required", "temperature": 0,
                "max_tokens": options.max_tokens, "parallel_tool_calls": "parallel" in category}
        reply = ask(url, body)
        called = sorted(call["function"]["name"] for call in reply["choices"][0]["message"].get("tool_calls") or [])
        return check_calls(reply, tools), called == names.get(case["id"]), reply["usage"]["completion_tokens"]

    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.users) as pool:
        results = list(pool.map(run, cases))
    faults = [(case["id"], fault) for case, (fault, _, _) in zip(cases, results) if fault]
    return {"category": category, "cases": len(cases), "valid": sum(fault is None for fault, _, _ in results),
            "cut": sum(fault == "cut" for fault, _, _ in results),
            "wrong": [fault for fault in faults if fault[1] != "cut"],
            "right_functions": sum(right for _, right, _ in results) if names else None,
            "tokens": sum(tokens for _, _, tokens in results), "seconds": time.monotonic() - begin}


def form_schema(n_fields):
    kinds = [{"type": "string", "maxLength": 12}, {"type": "integer", "minimum": 0, "maximum": 999}, {"type": "boolean"},
             {"enum": ["low", "medium", "high"]}]
    properties = {f"field_number_{idx}_of_the_form": kinds[idx % len(kinds)] for idx in range(n_fields)}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def compare_with_free(url, options, text, fields, check):
    """Tokens a second of an answer that has a form, and of free text of the same length, alternately."""
    messages = [{"role": "user", "content": text}]
    rates = {"form": [], "free": []}
    for _ in range(options.rounds):
        n_tokens = 0
        for name in rates:
            more = fields if name == "form" else {"ignore_eos": True, "max_tokens": n_tokens}
            begin = time.monotonic()
            reply = ask(url, {"messages": messages, "temperature": 0, **more})
            n_tokens = reply["usage"]["completion_tokens"]
            rates[name].append(n_tokens / (time.monotonic() - begin))
            if name == "form":
                check(reply["choices"][0])
    median = {name: statistics.median(values) for name, values in rates.items()}
    return {"tokens": n_tokens, "form_tokens_per_second": median["form"], "free_tokens_per_second": median["free"],
            "ratio": median["form"] / median["free"]}


def run_form(url, options):
    schema = form_schema(options.form)
    form = {"type": "json_schema", "json_schema": {"name": "form", "schema": schema}}
    result = compare_with_free(url, options, "Fill in the form with made-up values.", {"response_format": form, "max_tokens": 4000},
                               lambda choice: jsonschema.validate(json.loads(choice["message"]["content"]), schema))
    return {"fields": options.form, **result}


def run_masks(url, options):
    """Texts that the answer may choose freely, so that each token needs a mask and none is forced."""
    form = {"type": "json_schema", "json_schema": {"name": "texts", "schema": {
        "type": "array", "minItems": 4000, "items": {"type": "string", "minLength": 3, "maxLength": 4000}}}}

    def check(choice):
        if choice["finish_reason"] != "length" or not choice["message"]["content"].startswith("["):
            raise SystemExit("the answer does not have its form")

    return compare_with_free(url, options, "Write a long list of texts.", {"response_format": form, "max_tokens": options.masks}, check)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--template", type=pathlib.Path, help="chat template in place of the model's own")
    parser.add_argument("--cases", type=pathlib.Path, help="folder of BFCL_v4_*.json")
    parser.add_argument("--categories", nargs="+", default=CATEGORIES, choices=CATEGORIES, metavar="NAME")
    parser.add_argument("--count", type=int, default=100, help="cases of each category (default: %(default)s)")
    parser.add_argument("--users", type=int, default=8, help="requests at the same time (default: %(default)s)")
    parser.add_argument("--max-tokens", type=int, default=400, help="of an answer (default: %(default)s)")
    parser.add_argument("--form", type=int, metavar="N", help="a form of N fields, and free text of the same length")
    parser.add_argument("--masks", type=int, metavar="N", help="N tokens with a mask for each, and free text of the same length")
    parser.add_argument("--rounds", type=int, default=3, help="of --form and --masks (default: %(default)s)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.cases and not options.form and not options.masks:
        parser.error("one of --cases, --form and --masks is needed")
    arguments = ("--prefix-cache", "0", *(("--chat-template", options.template) if options.template else ()))
    with serving(options.ogas, options.model, arguments) as port:
        url = f"http://127.0.0.1:{port}"
        results = [run_form(url, options)] if options.form else []
        if options.masks:
            results.append(run_masks(url, options))
        for category in options.categories if options.cases else ():
            results.append(run_category(url, options, category))
            if not options.json:
                one = results[-1]
                print(f"{category:24} {one['valid']} of {one['cases']} valid, {one['cut']} cut, "
                      f"{one['right_functions']} name the right functions; {one['tokens'] / one['seconds']:.0f} tokens/s")
                for name, fault in one["wrong"][:3]:
                    print(f"    {name}: {fault}")
    if options.json:
        print(json.dumps(results))
    for one in [] if options.json else [each for each in results if "ratio" in each]:
        what = f"{one['fields']} fields" if "fields" in one else "a mask for each token"
        print(f"{what}, {one['tokens']} tokens: {one['form_tokens_per_second']:.0f} tokens/s, free text "
              f"{one['free_tokens_per_second']:.0f} (ratio {one['ratio']:.2f})")
    if any(one.get("wrong") for one in results):
        sys.exit("calls that do not satisfy their schema")


if __name__ == "__main__":
    main()
