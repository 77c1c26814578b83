#!/usr/bin/env python3
"""Loads `ogas serve` for minutes with many clients, half of them badly behaved, and checks what is left. See --help.

    bench/server_load.py [--clients 256] [--seconds 300] [--model FILE]

Half of the clients stream chat answers. They compare each with the answer to the same question alone; all are greedy, so
both must be equal. The others read slowly, disconnect in the middle, send invalid requests, or a few bytes now and then.
Printed once a second: memory, requests, connections. At the end: whether every complete answer was right, whether anything
is stuck, whether a page leaked, and how much memory grew from the first two fifths of the time to the last two. Growth says
nothing in less than a minute and is not checked then. Exit status 1 if a check fails.
"""
import argparse
import asyncio
import json
import random
import re
import sys
import time

from serving import add_arguments, serving

QUESTIONS = [f"What is {a} plus {b}?" for a in range(2, 6) for b in range(3, 7)]
MAX_GROWTH, MIN_SECONDS_OF_GROWTH = 0.02, 60


def body_of(question, **fields):
    return json.dumps({"messages": [{"role": "user", "content": question}], "max_tokens": 32, "temperature": 0,
                       **fields}).encode()


class Clients:
    def __init__(self, port):
        self.port = port
        self.expected = {}
        self.counts = {"right": 0, "wrong": 0, "refused": 0, "left": 0, "nonsense": 0, "slow": 0}
        self.examples = []

    async def open(self):
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def post(self, writer, body):
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()

    async def answer(self, question, pause=0.0):
        """Status and text of a streamed answer, read slowly where there is a pause."""
        reader, writer = await self.open()
        try:
            await self.post(writer, body_of(question, stream=True))
            data = b""
            while part := await reader.read(256 if pause else 65536):
                data += part
                if pause:
                    await asyncio.sleep(pause)
        finally:
            writer.close()
        status = int(data.split(b" ", 2)[1])
        texts = re.findall(rb'"delta":\{"content":("(?:[^"\\]|\\.)*")', data)
        is_whole = b"data: [DONE]" in data
        return status, "".join(json.loads(text) for text in texts), is_whole

    async def behave_well(self, rng, end, pause=0.0):
        while time.monotonic() < end:
            question = rng.choice(QUESTIONS)
            status, text, is_whole = await self.answer(question, pause)
            if status == 503:
                self.counts["refused"] += 1
                await asyncio.sleep(0.5)
            elif status == 200 and is_whole and text == self.expected[question]:
                self.counts["slow" if pause else "right"] += 1
            else:
                self.counts["wrong"] += 1
                self.examples.append((status, is_whole, text[:100]))

    async def behave_badly(self, rng, end):
        while time.monotonic() < end:
            reader, writer = await self.open()
            try:
                match rng.randrange(4):
                    case 0:  # leaves in the middle
                        await self.post(writer, body_of(rng.choice(QUESTIONS), stream=rng.random() < 0.5,
                                                        max_tokens=500, ignore_eos=True))
                        await asyncio.sleep(rng.random() * 2)
                        self.counts["left"] += 1
                    case 1:  # no request
                        writer.write(bytes(rng.randrange(256) for _ in range(200)) + b"\r\n\r\n")
                        await reader.read(1000)
                        self.counts["nonsense"] += 1
                    case 2:  # a body that is none
                        await self.post(writer, b'{"messages": [{"role": "user"' * rng.randrange(1, 50))
                        await reader.read(1000)
                        self.counts["nonsense"] += 1
                    case 3:  # a head that never ends
                        for _ in range(rng.randrange(1, 8)):
                            writer.write(b"GET /v1/models HTTP/1.1\r\nX: ")
                            await writer.drain()
                            await asyncio.sleep(rng.random())
            except OSError:
                pass
            finally:
                writer.close()

    async def metrics(self):
        reader, writer = await self.open()
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        text = (await reader.read(-1)).decode()
        writer.close()
        return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.M)}


async def watch(clients, end, samples):
    while time.monotonic() < end:
        await asyncio.sleep(1)
        now = await clients.metrics()
        samples.append((time.monotonic(), now))
        print(f"\r{end - time.monotonic():5.0f} s left, {now['process_resident_memory_bytes'] / 1e6:.1f} MB, "
              f"{now['ogas_requests_running']:.0f} running, {now['ogas_requests_waiting']:.0f} waiting, "
              f"{now['ogas_connections']:.0f} connections, {clients.counts}   ", end="", file=sys.stderr, flush=True)


async def settle(clients):
    """The metrics once no request is in flight."""
    for _ in range(600):
        now = await clients.metrics()
        if now["ogas_requests_running"] + now["ogas_requests_waiting"] == 0 and now["ogas_connections"] <= 1:
            break
        await asyncio.sleep(0.1)
    return now


async def load(port, n_clients, seconds):
    clients = Clients(port)
    for question in QUESTIONS:
        clients.expected[question] = (await clients.answer(question))[1]
    await clients.answer(" ".join(QUESTIONS))  # long enough for whole pages, which are remembered
    start = time.monotonic()
    end = start + seconds
    samples = []
    tasks = [watch(clients, end, samples)]
    for idx in range(n_clients):
        rng = random.Random(idx)
        tasks.append(clients.behave_well(rng, end) if idx % 2 == 0 else
                     clients.behave_well(rng, end, pause=0.05) if idx % 4 == 1 else clients.behave_badly(rng, end))
    await asyncio.gather(*tasks)
    print(file=sys.stderr)
    last = await settle(clients)
    early = [now["process_resident_memory_bytes"] for at, now in samples if at - start < seconds * 0.4]
    late = [now["process_resident_memory_bytes"] for at, now in samples if at - start > seconds * 0.6]
    growth = max(late) / max(early) - 1
    checks = {
        "every complete answer was right": clients.counts["wrong"] == 0 and clients.counts["right"] > 0,
        "no request is stuck": last["ogas_requests_running"] + last["ogas_requests_waiting"] == 0,
        "no connection is stuck": last["ogas_connections"] <= 1,
        "no page is lost": last["ogas_kv_bytes_used"] == last["ogas_kv_bytes_cached"] > 0,
        f"memory grew by {100 * growth:.1f}%": growth <= MAX_GROWTH or seconds < MIN_SECONDS_OF_GROWTH,
    }
    print(clients.counts, *clients.examples[:3], sep="\n")
    for what, holds in checks.items():
        print("yes" if holds else "NO ", what)
    return all(checks.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--clients", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=300)
    arguments = parser.parse_args()
    with serving(arguments.ogas, arguments.model) as port:
        good = asyncio.run(load(port, arguments.clients, arguments.seconds))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
