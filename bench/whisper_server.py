"""faster-whisper behind OpenAI's route: the rival of `bench/server_load.py`. It needs nothing but faster-whisper.

As many transcriptions at once as there are processors, one thread each, as `earful serve` has them; greedy search.
"""

import argparse
import io
import json
import os
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Semaphore
from typing import Any


def handler(model: Any, slots: Semaphore) -> type[BaseHTTPRequestHandler]:
    """What answers requests."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer({"object": "list", "data": [{"id": "whisper", "object": "model"}]})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            parts = {
                part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
                for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
            }
            language = parts.get("language", b"").decode() or None
            with slots:
                segments, _ = model.transcribe(io.BytesIO(parts["file"]), language=language, beam_size=1)
                text = "".join(segment.text for segment in segments).strip()
            self.answer({"text": text})

        def answer(self, found: dict[str, Any]) -> None:
            content = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def main() -> None:
    """Serve until ended."""
    from faster_whisper import WhisperModel

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    workers = len(os.sched_getaffinity(0))
    model = WhisperModel(options.model, device="cpu", compute_type="int8", cpu_threads=1, num_workers=workers)
    ThreadingHTTPServer(("127.0.0.1", options.port), handler(model, Semaphore(workers))).serve_forever()


if __name__ == "__main__":
    main()
