#!/usr/bin/env python3
"""Checks that openai_schema.py notices wrong answers."""

import copy
import json
import unittest

import openai_schema
from recording_proxy import BadHttp, Connection, Exchange

MODEL = {"id": "x", "object": "model", "created": 1, "owned_by": "ogas"}
CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "x",
         "choices": [{"index": 0, "delta": {"content": "Hi"}, "logprobs": None, "finish_reason": None}]}


def exchange(body, path="/v1/models/x", method="GET", status=200, kind="application/json", is_whole=True):
    body = body if isinstance(body, str) else json.dumps(body)
    return Exchange(method, path, {}, b"", status, {"content-type": kind}, body.encode(), is_whole)


def stream(*chunks, end="data: [DONE]\n\n", **options):
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + end
    return exchange(body, "/v1/chat/completions", "POST", kind="text/event-stream", **options)


def said(*replies):
    connection = Connection.__new__(Connection)
    connection.sent = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * len(replies)
    connection.received = b"".join(replies)
    return list(connection.exchanges())


@unittest.skipIf(openai_schema.is_missing(), openai_schema.is_missing())
class SchemaTest(unittest.TestCase):
    def check(self, fault, *exchanges):
        for one in exchanges:
            found = " ".join(openai_schema.check(one))
            self.assertIn(fault, found) if fault else self.assertEqual(found, "")

    def test_answers(self):
        self.check("", exchange(MODEL), exchange({**MODEL, "max_model_len": 8}))
        self.check("'color' was unexpected", exchange({**MODEL, "color": "red"}))
        self.check("is a required property", exchange({"id": "x"}))
        self.check("$.created", exchange({**MODEL, "created": "now"}))
        self.check("has no application/json for GET /v1/frobs", exchange(MODEL, "/v1/frobs"))
        self.check("an error of the type text/html", exchange("no", status=404, kind="text/html"))
        self.check("ErrorResponse", exchange({"error": "no"}, status=404))
        self.check("", exchange({"error": {"message": "no", "type": "x", "param": None, "code": None}}, status=404))

    def test_streams(self):
        self.check("", stream(CHUNK, CHUNK), stream(CHUNK, end=": waiting\n\ndata: [DONE]\n\n"),
                   stream(CHUNK, end="data: {", is_whole=False))
        self.check("not with [DONE]", stream(CHUNK, end=""))
        self.check("id changes", stream(CHUNK, {**CHUNK, "id": "chatcmpl-2"}))
        wrong = copy.deepcopy(CHUNK)
        wrong["choices"][0]["finish_reason"] = "tired"
        self.check("'tired'", stream(CHUNK, wrong))
        with self.assertRaises(BadHttp):
            openai_schema.check(stream(CHUNK, end="data: [DONE]\n"))



class HttpTest(unittest.TestCase):
    def test_answers(self):
        head = b"HTTP/1.1 200 OK\r\n"
        one, two, three = said(b"HTTP/1.1 100 Continue\r\n\r\n" + head + b"Content-Length: 2\r\n\r\nok",
                               head + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
                               head + b"Connection: close\r\n\r\nto the end")
        self.assertEqual((one.body, two.body, three.body), (b"ok", b"abc", b"to the end"))
        cut, = said(head + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n9\r\nc")
        self.assertEqual((cut.body, cut.is_whole), (b"ab", False))

    def test_wrong_framing(self):
        for reply in (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n",
                      b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                      b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
                      b"HTTP/1.1 200 OK\nContent-Length: 1\r\n\r\na"):
            with self.subTest(reply), self.assertRaises(BadHttp):
                said(reply)


if __name__ == "__main__":
    unittest.main()
