"""A server with OpenAI's API, or something like it, that answers as a test says."""

import http.server
import json
import threading


class FakeServer:
    """replies: by path, what is called with the handler and the body (JSON, or None) and sends the reply."""

    def __init__(self, replies, port=0, context=None):
        self.requests = []  # (method, path, headers, body)
        self.replies = replies
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self):
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length)) if length else None
                outer.requests.append((self.command, self.path, self.headers, body))
                reply = outer.replies.get(self.path)
                try:
                    if reply:
                        reply(self, body)
                    else:
                        send(self, 404, "text/plain", "nothing here")
                except (BrokenPipeError, ConnectionResetError):
                    pass

            do_GET = do_POST = answer

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def asked(self, path):
        """The bodies that came there, first to last."""
        return [body for _, asked, _, body in self.requests if asked == path]


def send(handler, status, kind, text, **headers):
    data = text if isinstance(text, bytes) else text.encode()
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(data)))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)


def whole(value, status=200):
    """A reply of this JSON."""
    return lambda handler, _: send(handler, status, "application/json", json.dumps(value))


def models(*names):
    return whole({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})


def start_events(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream; charset=utf-8")
    handler.end_headers()


def send_event(handler, value):
    text = value if isinstance(value, str) else json.dumps(value)
    handler.wfile.write(f"data: {text}\n\n".encode())
    handler.wfile.flush()


def delta(finish=None, **fields):
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


USAGE = {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16,
                                  "prompt_tokens_details": {"cached_tokens": 5}}}


def events(*values):
    """A reply of these events."""
    def reply(handler, _):
        start_events(handler)
        for value in values:
            send_event(handler, value)
    return reply


def answer(text, **fields):
    """A whole stream with an answer, word by word."""
    words = [delta(content=word) for word in text.split(" ")]
    for word in words[1:]:
        word["choices"][0]["delta"]["content"] = " " + word["choices"][0]["delta"]["content"]
    return events(delta(role="assistant", **fields), *words, delta("stop"), USAGE, "[DONE]")
