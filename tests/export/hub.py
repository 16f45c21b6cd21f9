"""A small hub on loopback: what `huggingface_hub` asks of one to put files there and fetch them. Prints its address."""

import base64
import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

REPOSITORIES: dict[str, dict[str, bytes]] = {}
COMMIT = "1" * 40


class Hub(BaseHTTPRequestHandler):
    """Repositories in memory, one branch each; a token is asked for where something is written."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body, path = self.rfile.read(int(self.headers.get("Content-Length") or 0)), unquote(urlsplit(self.path).path)
        if self.headers.get("Authorization") != "Bearer secret":
            return self.answer(401, {"error": "who are you?"})
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            REPOSITORIES.setdefault(name, {})
            return self.answer(200, {"url": f"http://{self.headers['Host']}/{name}", "name": name})
        if path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        name = "/".join(path.split("/")[3:5])
        if "/preupload/" in path:
            files = [{**each, "uploadMode": "regular", "shouldIgnore": False} for each in json.loads(body)["files"]]
            return self.answer(200, {"files": files})
        if "/commit/" in path:
            for line in body.decode().splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    REPOSITORIES[name][entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            address = f"http://{self.headers['Host']}/{name}/commit/{COMMIT}"
            return self.answer(200, {"commitUrl": address, "commitOid": COMMIT, "success": True})
        return self.answer(404, {"error": path})

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        name = "/".join(path.removeprefix("/api/models").split("/")[1:3])
        files = REPOSITORIES.get(name)
        if files is None:
            return self.answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        if path.startswith(f"/api/models/{name}/tree/"):
            rows = [{"type": "file", "path": n, "size": len(v), "oid": _name(v)} for n, v in files.items()]
            return self.answer(200, rows)
        if path.startswith(f"/api/models/{name}"):
            siblings = [{"rfilename": each} for each in files]
            return self.answer(200, {"id": name, "sha": COMMIT, "siblings": siblings, "private": False})
        content = files.get(path.split("/resolve/")[-1].partition("/")[2])
        if content is None:
            return self.answer(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
        return self.send(200, content, {"X-Repo-Commit": COMMIT, "ETag": f'"{_name(content)}"'})

    do_HEAD = do_GET

    def answer(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        self.send(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})

    def send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def _name(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
