#!/usr/bin/env python3
"""What HTTP costs: 8 clients of `ogas serve`, and the same 8 sessions in `ogas bench`, interleaved. See --help.

    bench/server_overhead.py [--model FILE] [--rounds 5] [--tokens 32] [--users 8] [--repeat 5]

Every client streams one answer of --tokens tokens to a short prompt of its own (/v1/completions, greedy, with ignore_eos).
Tokens are counted between the last client's first piece and the first client's end, by the rate of each client. `ogas bench`
computes the same number of sessions in a step without sampling, text or network, at short contexts. Answers are short here,
too, since longer ones cost attention and not HTTP.
"""
import argparse
import json
import socket
import statistics
import subprocess
import threading
import time

from serving import add_arguments, serving

def stream(port, prompt, n_tokens, result):
    """Appends when each piece of the answer came."""
    body = json.dumps({"prompt": prompt, "max_tokens": n_tokens, "temperature": 0, "ignore_eos": True, "stream": True}).encode()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                           b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        times = []
        while part := connection.recv(65536):
            if b"data: {" in part:
                times.append(time.monotonic())
    result.append(times)


def serve_rate(ogas, model, users, n_tokens):
    """Tokens a second of all clients together."""
    with serving(ogas, model) as port:
        for _ in range(2):  # the first time is for warming up
            results = []
            threads = [threading.Thread(target=stream, args=(port, [100 + user, 200, 300], n_tokens, results))
                       for user in range(users)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    first, last = max(times[0] for times in results), min(times[-1] for times in results)
    return users * (n_tokens - 1) / (last - first)


def bench_rate(ogas, model, users, repeat):
    figure = f"{users} sessions"
    result = subprocess.run([ogas, "bench", model, "--only", figure, "--json", "--repeat", str(repeat)], check=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(result.stdout)["figures"][figure]["tokens_per_s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--users", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=5, help="of the figure of ogas bench in a round")
    arguments = parser.parse_args()
    ratios = []
    for _ in range(arguments.rounds):
        alone = bench_rate(arguments.ogas, arguments.model, arguments.users, arguments.repeat)
        served = serve_rate(arguments.ogas, arguments.model, arguments.users, arguments.tokens)
        ratios.append(served / alone)
        print(f"{alone:8.1f} tokens/s alone, {served:8.1f} through the server: {ratios[-1]:.3f}", flush=True)
    print(f"median {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
