#!/usr/bin/env python3
"""Compares the speed of chat templates with Python's jinja2, and measures what hostile templates cost.

    jinja_bench.py [--program build/release/tests/jinja_render]            (pip install jinja2)
    jinja_bench.py --hostile      milliseconds of processor time and MiB until each template of
                                  tests/data/text/hostile_templates.json fails

Both engines run interleaved, and the best run of each counts. jinja2 runs its compiled template, which is how transformers
keeps it. Parsing in jinja2 is compiling.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

TEMPLATES = ["HuggingFaceTB-SmolLM3-3B", "Qwen-Qwen3-0.6B", "meta-llama-Llama-3.1-8B-Instruct", "deepseek-ai-DeepSeek-V3.1",
             "openai-gpt-oss-120b", "Kimi-K2-Instruct"]
REPEAT = 50


def show_hostile(program):
    data = json.loads((ROOT / "tests/data/text/hostile_templates.json").read_text())
    worst = [0.0, 0.0]
    for name, parts in data.items():
        request = json.dumps({"template": "".join(text * n for text, n in parts), "repeat": 1}) + "\n"
        read, write = os.pipe()
        process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=write)
        os.close(write)
        process.stdin.write(request.encode())
        process.stdin.close()
        with os.fdopen(read) as pipe:
            out = pipe.read()
        _, status, usage = os.wait4(process.pid, 0)
        answer = json.loads(out) if status == 0 else {"error": f"status {status}", "seconds": 0}
        ms, mib = 1000 * answer["seconds"], usage.ru_maxrss / 1024
        worst = [max(worst[0], ms), max(worst[1], mib)]
        print(f"{name:32} {ms:8.1f} ms {mib:7.1f} MiB  {answer.get('error', 'NO ERROR')[:80]}")
    print(f"{'worst':32} {worst[0]:8.1f} ms {worst[1]:7.1f} MiB")


def time_jinja2(env, source, context):
    start = time.process_time()
    for _ in range(REPEAT // 10):
        compiled = env.from_string(source)
    parsed = time.process_time()
    for _ in range(REPEAT):
        compiled.render(**context)
    return (parsed - start) / (REPEAT // 10), (time.process_time() - parsed) / REPEAT


def compare(program):
    import jinja_environment
    env = jinja_environment.environment()
    messages = [{"role": "system", "content": "Be brief."}]
    for turn in range(20):
        messages += [{"role": "user", "content": f"Question {turn}: " + "what is it? " * 20},
                     {"role": "assistant", "content": f"Answer {turn}. " + "It is so. " * 40}]
    context = {"messages": messages + [{"role": "user", "content": "Why?"}], "tools": None, "documents": None,
               "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": True}
    print(f"{'20 turns':36} {'parse':>10} {'jinja2':>10} {'ratio':>7} {'render':>10} {'jinja2':>10} {'ratio':>7}")
    for name in TEMPLATES:
        path = ROOT / "tests/data/text/templates" / f"{name}.jinja"
        if not path.exists():
            continue
        source, ours, theirs = path.read_text(), [], []
        request = json.dumps({"template": source, "context": context, "repeat": REPEAT}) + "\n"
        for _ in range(5):
            out = subprocess.run([program], input=request.encode(), capture_output=True, check=True).stdout
            answer = json.loads(out)
            ours.append((answer["parse_seconds"], answer["seconds"]))
            theirs.append(time_jinja2(env, source, context))
        best = [min(column) for column in zip(*ours)] + [min(column) for column in zip(*theirs)]
        parse, render, parse2, render2 = [1e6 * value for value in best]
        print(f"{name:36} {parse:7.0f} us {parse2:7.0f} us {parse2 / parse:6.1f}x {render:7.0f} us {render2:7.0f} us {render2 / render:6.1f}x")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "build/release/tests/jinja_render")
    parser.add_argument("--hostile", action="store_true")
    args = parser.parse_args()
    show_hostile(args.program) if args.hostile else compare(args.program)


if __name__ == "__main__":
    main()
