#!/usr/bin/env python3
"""What schemas, patterns and grammars that are made to be expensive cost a server and its other users.

    bench/hostile_forms.py [--model MODEL] [--users 8] [--seconds 10] [--rounds 2]

First each is sent alone: how it is answered, after how many seconds, and how much memory the server takes more than before
all of them. Then users read streams, alternately among themselves and next to a client that sends one after the other: the
gaps between their tokens. Exit code 1 where a request is not answered by 200 or 400.
"""
import argparse
import http.client
import json
import pathlib
import statistics
import sys
import threading
import time

from serving import add_arguments, serving


def hostile_forms():
    """Name -> fields of a request."""
    def schema(given):
        return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": given}}}

    def regex(pattern):
        return {"structured_outputs": {"regex": pattern}}

    def gbnf(text):
        return {"structured_outputs": {"grammar": text}}

    words = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(10_000)}}
    choices = [{"properties": {f"a{n}": {"enum": list(range(n + 3))}, f"b{n}": {"type": "string"}}} for n in range(30)]
    doubling = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(40)}
    doubling["d40"] = {"type": "integer"}
    return {
        "oneOf of 30 objects": schema({"type": "object", "oneOf": choices}),
        "30 conditions": schema({"allOf": [{"if": {"required": [f"a{n}"]}, "then": {"required": [f"b{n}"]}} for n in range(30)]}),
        "references that double 40 times": schema({"$ref": "#/$defs/d0", "$defs": doubling}),
        "a reference to itself": schema({"$ref": "#"}),
        "nested 100,000 times": {"response_format": "DEEP"},
        "10,000 properties": schema(words),
        "10,000 required properties": schema(words | {"required": list(words["properties"])}),
        "10 MB of text": schema({"type": "string", "description": "x" * 10_000_000}),
        "10 MB of choices": schema({"enum": [f"{n:0100}" for n in range(100_000)]}),
        "strings of 10^9": schema({"type": "string", "minLength": 10**9}),
        "arrays of 10^9": schema({"type": "array", "items": {"type": "integer"}, "minItems": 10**9}),
        "contains 10^9": schema({"type": "array", "contains": {"const": 1}, "minContains": 10**9}),
        "a multiple of a large number": schema({"multipleOf": 999_999_937, "type": "integer"}),
        "patterns that overlap": schema({"patternProperties": {f"{chr(97 + n)}.*{chr(98 + n)}": {"minimum": n} for n in range(12)}}),
        "a pattern that backtracks": regex("(a+)+(a|aa)+(a*)*b"),
        "a pattern that counts": regex("(([ab]{1,500}){1,500}){1,500}c"),
        "a letter 30 before the end": regex("[ab]*a[ab]{30}"),
        "left recursion": gbnf("root ::= root \"a\" | \"b\""),
        "an ambiguous grammar": gbnf("root ::= s s s s s s\ns ::= \"a\" s | \"a\" s s | \"a\""),
        "a rule that repeats 10^9 times": gbnf("root ::= (\"a\"{1000000000}){1000000000}"),
    }


def body_of(fields):
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2, "temperature": 0, **fields}
    if fields.get("response_format") == "DEEP":  # deeper than Python writes
        deep = '{"not":' * 100_000 + "true" + "}" * 100_000
        form = '{"type":"json_schema","json_schema":{"name":"x","schema":' + deep + "}}"
        return json.dumps(body).replace('"DEEP"', form)
    return json.dumps(body)


def send(port, body):
    """Status and seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    begin = time.monotonic()
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    text = reply.read()
    seconds = time.monotonic() - begin
    connection.close()
    return reply.status, seconds, text


def read_stream(port, until, gaps):
    """Appends the seconds between tokens."""
    body = json.dumps({"messages": [{"role": "user", "content": "Tell me a story."}], "max_tokens": 400, "ignore_eos": True,
                       "stream": True, "temperature": 1})
    while time.monotonic() < until:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        last = None
        for line in connection.getresponse():
            if not line.startswith(b"data: {"):
                continue
            now = time.monotonic()
            if last is not None:
                gaps.append(now - last)
            last = now
            if now > until:
                break
        connection.close()


def run_users(port, options, bodies):
    """The gaps of all users; with bodies, next to a client that sends these."""
    gaps, until = [], time.monotonic() + options.seconds
    threads = [threading.Thread(target=read_stream, args=(port, until, gaps)) for _ in range(options.users)]
    for thread in threads:
        thread.start()
    while bodies and time.monotonic() < until:
        for body in bodies:
            if time.monotonic() < until:
                send(port, body)
    for thread in threads:
        thread.join()
    return gaps


def memory_of_server():
    """Resident bytes of the server, the only child of this program."""
    child = pathlib.Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()[0]
    for line in pathlib.Path(f"/proc/{child}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("the server's memory is not known")


def milliseconds(gaps, share):
    return sorted(gaps)[min(len(gaps) - 1, int(len(gaps) * share))] * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--users", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10, help="of each part (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    bodies = {name: body_of(fields) for name, fields in hostile_forms().items()}
    failed = False
    with serving(options.ogas, options.model) as port:
        send(port, body_of({}))
        before = memory_of_server()
        for name, body in bodies.items():
            status, seconds, text = send(port, body)
            failed |= status not in (200, 400)
            said = "" if status == 200 else json.loads(text)["error"]["message"][:90]
            print(f"{name:34} {status} {seconds:6.3f} s, memory + {(memory_of_server() - before) / 2**20:4.0f} MiB  {said}")
        shares = {"alone": [], "with hostile requests": []}
        for _ in range(options.rounds):
            for name, gaps in shares.items():
                gaps += run_users(port, options, [] if name == "alone" else list(bodies.values()))
        for name, gaps in shares.items():
            print(f"{options.users} users {name}: between tokens p50 {statistics.median(gaps) * 1e3:.0f} ms, "
                  f"p99 {milliseconds(gaps, .99):.0f} ms, max {max(gaps) * 1e3:.0f} ms, {len(gaps)} tokens")
    if failed:
        sys.exit("a request was not answered by 200 or 400")


if __name__ == "__main__":
    main()
