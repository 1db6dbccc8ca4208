"""A stand-in of Databricks' Files API, as far as the bridge uses it, with faults to order."""

import http.server
import json
import threading
import time
from urllib.parse import parse_qs, unquote, urlsplit

FILES, DIRECTORIES = "/api/2.0/fs/files", "/api/2.0/fs/directories"


class FilesApi(http.server.ThreadingHTTPServer):
    """`faults`: what happens to the next requests, first come first served: a status, (status, headers), "lost" (done, and no answer),
    "dropped" (not done, and no answer), or None for a request that goes well. `dice(method)` may order one for each request."""

    daemon_threads = True
    PAGE = 3

    def __init__(self, volume="/Volumes/workspace/ws_otter/ws", token="dapi-good", dice=None):
        super().__init__(("127.0.0.1", 0), Asked)
        self.volume, self.token, self.dice = volume, token, dice
        self.files, self.directories, self.faults, self.log = {}, {volume}, [], []
        self.host = f"http://127.0.0.1:{self.server_address[1]}"
        self.stored = []
        self.ranges = True
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        pass

    def names(self, topic):
        return sorted(path.rpartition("/")[2] for path in self.files if path.startswith(f"{self.volume}/landing/{topic}/"))


class Asked(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, found=None, headers=(), body=None):
        data = body if body is not None else b"" if found is None else json.dumps(found).encode()
        self.send_response(status)
        if found is not None:
            self.send_header("Content-Type", "application/json")
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.asked("GET")

    def do_PUT(self):
        self.asked("PUT")

    def asked(self, method):
        server, parts = self.server, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = server.faults.pop(0) if server.faults else server.dice(method) if server.dice else None
        server.log.append((method, self.path, fault, time.monotonic()))
        if fault == "dropped":
            return self.hang_up()
        if isinstance(fault, (int, tuple)):
            status, headers = fault if isinstance(fault, tuple) else (fault, ())
            return self.answer(status, {"error_code": "X", "message": f"a fault of the test, {status}."}, headers)
        if self.headers.get("Authorization") != f"Bearer {server.token}":
            return self.answer(401, {"error_code": "UNAUTHENTICATED", "message": "Credential was not sent or is not valid."})
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = unquote(parts.path)
        if path.startswith(DIRECTORIES):
            done = lambda: self.directory(method, path[len(DIRECTORIES) :].rstrip("/"), query)  # noqa: E731
        else:
            done = lambda: self.file(method, path[len(FILES) :], body, query)  # noqa: E731
        if fault == "lost":
            self.answer = lambda *_, **__: None
            done()
            return self.hang_up()
        return done()

    def hang_up(self):
        self.close_connection = True
        self.connection.close()

    def directory(self, method, path, query):
        server = self.server
        if path != server.volume and not path.startswith(server.volume + "/"):
            return self.answer(404, {"error_code": "NOT_FOUND", "message": f"Volume '{path}' does not exist."})
        if method == "PUT":
            while path != server.volume:
                server.directories.add(path)
                path = path.rpartition("/")[0]
            return self.answer(204)
        if path not in server.directories:
            return self.answer(404, {"error_code": "NOT_FOUND", "message": "The directory being accessed is not found."})
        names = sorted(one[len(path) + 1 :] for one in list(server.files) if one.startswith(path + "/"))
        first = int(query.get("page_token", "0"))
        found = {
            "contents": [{"name": name, "path": f"{path}/{name}", "is_directory": False} for name in names[first : first + server.PAGE]]
        }
        if first + server.PAGE < len(names):
            found["next_page_token"] = str(first + server.PAGE)
        return self.answer(200, found)

    def file(self, method, path, body, query):
        server = self.server
        if method == "PUT":
            if path.rpartition("/")[0] not in server.directories:
                return self.answer(404, {"error_code": "NOT_FOUND", "message": "The parent is not found."})
            if path in server.files and query.get("overwrite") != "true":
                return self.answer(409, {"error_code": "ALREADY_EXISTS", "message": "The file exists."})
            server.stored.append((path, body))
            server.files[path] = body
            return self.answer(204)
        if path not in server.files:
            return self.answer(404, {"error_code": "NOT_FOUND", "message": "The file is not found."})
        wanted = self.headers.get("Range")
        if wanted and server.ranges:
            return self.answer(206, body=server.files[path][-int(wanted.removeprefix("bytes=-")) :])
        return self.answer(200, body=server.files[path])
