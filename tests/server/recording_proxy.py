"""A proxy between clients and the server that forwards every byte unchanged and keeps a copy, so that a test sees what was
really sent, whatever the client: Exchanges, one for each request. It reads HTTP/1.1 strictly: what the server frames
wrongly is an error."""

import dataclasses
import json
import socket
import threading


class BadHttp(Exception):
    pass


@dataclasses.dataclass
class Exchange:
    method: str
    path: str
    request_headers: dict
    request: bytes
    status: int
    headers: dict
    body: bytes
    is_whole: bool  # nobody left before the end

    @property
    def content_type(self):
        return self.headers.get("content-type", "").partition(";")[0]

    def json(self):
        return json.loads(self.body)

    def events(self):
        """The data of the events of a stream; comments are left out."""
        text = self.body.decode()
        *events, rest = text.split("\n\n")
        if rest and self.is_whole:
            raise BadHttp(f"a stream ends within an event: {rest!r}")
        for event in events:
            lines = [line for line in event.split("\n") if not line.startswith(":")]
            for line in lines:
                name, _, value = line.partition(": ")
                if name not in ("data", "event", "id", "retry"):
                    raise BadHttp(f"no line of an event: {line!r}")
                if name == "data":
                    yield value

    def __str__(self):
        return (f"{self.method} {self.path} {self.request.decode(errors='replace')[:2000]}\n"
                f"-> {self.status} {self.body.decode(errors='replace')[:4000]}")


class Cut(Exception):
    """The bytes end before the message does."""


class Reader:
    def __init__(self, data):
        self.data, self.at = bytes(data), 0

    def is_at_end(self):
        return self.at == len(self.data)

    def line(self):
        end = self.data.find(b"\r\n", self.at)
        if end < 0:
            raise Cut
        line, self.at = self.data[self.at:end], end + 2
        if b"\n" in line or b"\r" in line:
            raise BadHttp(f"a line of a head holds a line end: {line!r}")
        return line.decode("latin-1")

    def take(self, n):
        if self.at + n > len(self.data):
            raise Cut
        self.at += n
        return self.data[self.at - n:self.at]

    def head(self):
        first, headers = self.line(), {}
        while line := self.line():
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise BadHttp(f"no header: {line!r}")
            if name.lower() in headers and name.lower() in ("content-length", "transfer-encoding", "content-type"):
                raise BadHttp(f"a header twice: {line!r}")
            headers[name.lower()] = value.strip()
        return first, headers

    def body(self, headers, until_end=False):
        """(the body, whether it is whole)"""
        if "transfer-encoding" in headers:
            if headers["transfer-encoding"] != "chunked" or "content-length" in headers:
                raise BadHttp(f"framing: {headers}")
            body = b""
            while True:
                try:
                    n = int(self.line(), 16)
                    body += self.take(n)
                    if self.take(2) != b"\r\n":
                        raise BadHttp("a chunk is longer than it says")
                except Cut:
                    return body, False
                if n == 0:
                    return body, True
        if "content-length" in headers:
            n = int(headers["content-length"])
            rest = self.data[self.at:self.at + n]
            self.at += len(rest)
            return rest, len(rest) == n
        if until_end:
            rest, self.at = self.data[self.at:], len(self.data)
            return rest, True
        return b"", True


class Connection:
    def __init__(self, client, address):
        self.sent, self.received = bytearray(), bytearray()
        self.server = socket.create_connection(address)
        self.client = client
        for one in (self.client, self.server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.threads = [threading.Thread(target=self.hand_on, args=arguments, daemon=True)
                        for arguments in ((client, self.server, self.sent), (self.server, client, self.received))]
        for thread in self.threads:
            thread.start()

    def hand_on(self, source, target, copy):
        try:
            while data := source.recv(65536):
                copy += data
                target.sendall(data)
        except OSError:
            # One side is gone: so is the other, at once, as without a proxy.
            for one in (source, target):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        for one in (self.client, self.server):
            one.close()

    def exchanges(self):
        requests, replies = Reader(self.sent), Reader(self.received)
        while not replies.is_at_end():
            try:
                first, headers = replies.head()
            except Cut:
                return
            version, status, _ = first.split(" ", 2)
            if version != "HTTP/1.1":
                raise BadHttp(first)
            if status.startswith("1"):
                continue
            try:
                request, request_headers = requests.head()
                method, path, _ = request.split(" ")
                asked, _ = requests.body(request_headers)
            except (Cut, ValueError, BadHttp):  # the answer to an invalid request
                method, path, request_headers, asked = "", "", {}, b""
            has_body = method != "HEAD" and status not in ("204", "304")
            body, is_whole = replies.body(headers, until_end=True) if has_body else (b"", True)
            yield Exchange(method, path.partition("?")[0], request_headers, asked, int(status), headers, body, is_whole)


class RecordingProxy:
    def __init__(self, address):
        self.address, self.connections = address, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                self.connections.append(Connection(client, self.address))
            except OSError:
                client.close()

    def exchanges(self):
        return [exchange for connection in self.connections for exchange in connection.exchanges()]

    def close(self):
        self.listener.close()
        for connection in self.connections:
            connection.close()
