"""Small data sets as archives, and an HTTP server that hands them out and breaks off where it is told to."""

import hashlib
import io
import re
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray


def wav(samples: NDArray[np.float32], rate: int = 16000, subtype: str = "PCM_16", form: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, subtype=subtype, format=form)
    return buffer.getvalue()


def tone(hertz: float, seconds: float = 0.2, rate: int = 16000) -> NDArray[np.float32]:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def commands(words: Mapping[str, float], speakers: int = 6) -> dict[str, bytes]:
    """Files in the layout of Speech Commands: each word a tone; the last speaker tests, the one before validates."""
    files = {
        f"{word}/{speaker:08x}_nohash_0.wav": wav(tone(hertz * (1 + 0.02 * speaker)))
        for word, hertz in words.items()
        for speaker in range(speakers)
    }
    for name, speaker in (("validation", speakers - 2), ("testing", speakers - 1)):
        files[f"{name}_list.txt"] = "".join(f"{word}/{speaker:08x}_nohash_0.wav\n" for word in words).encode()
    return files


def tar(files: Mapping[str, bytes], extra: tuple[tarfile.TarInfo, ...] = (), top: str = "set/", how: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=how) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(top + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in extra:
            archive.addfile(member)
    return buffer.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Server:
    """What it serves, where it breaks off, and what it was asked for."""

    def __init__(self, files: dict[str, bytes], address: str) -> None:
        self.files, self.address = files, address
        self.break_after: list[int] = []
        """Bytes after which the next connections end."""
        self.ranges: list[str | None] = []
        self.honours_ranges = True

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = files.get(self.path.lstrip("/"))
            asked = self.headers.get("Range")
            server.ranges.append(asked)
            if content is None:
                self.send_error(404)
                return
            found = re.fullmatch(r"bytes=(\d+)-", asked or "") if server.honours_ranges else None
            begin = int(found[1]) if found else 0
            if found and begin >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if found else 200)
            self.send_header("Content-Length", str(len(content) - begin))
            self.end_headers()
            end = server.break_after.pop(0) if server.break_after else len(content)
            self.wfile.write(content[begin : begin + end])
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server = Server(files, f"http://127.0.0.1:{http.server_address[1]}")
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
