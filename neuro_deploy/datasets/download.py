"""Download a file over HTTP: with progress, and from where it was broken off."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from neuro_deploy import extras
from neuro_deploy.errors import DatasetError, OutputError
from neuro_deploy.files import reason, remedy_for_writing

if TYPE_CHECKING:
    import requests

Report = Callable[[int, int | None], None]
"""Called with the bytes that are there and those of the whole file, where they are known."""

BLOCK = 1 << 18
TIMEOUT = 30.0
"""Seconds to wait for a connection, and for the next bytes of it."""

ATTEMPTS = 4
"""How often in a row a connection may end without having brought anything."""


def download(url: str, part: Path, report: Report, pause: float = 1.0) -> None:
    """Download a file, or the rest of it.

    Args:
        url: its address.
        part: where to; what it holds already is taken to be the file's beginning.
        report: called as it grows.
        pause: seconds before the next attempt, longer each time.

    Raises:
        DatasetError: the server cannot be reached, refuses, or breaks off again and again; ``part`` holds what came.
        OutputError: it cannot be written.
        MissingPackageError: the extra ``audio`` is not installed.
    """
    extras.require("requests")
    import requests

    failures = 0
    while True:
        before = _size(part)
        try:
            _receive(url, part, report)
            return
        except requests.RequestException as error:
            failures = 1 if _size(part) > before else failures + 1
            if failures == ATTEMPTS or isinstance(error, requests.HTTPError):
                raise DatasetError(f"{url}: {_reason(error)}") from error
            time.sleep(pause * failures)


def _receive(url: str, part: Path, report: Report) -> None:
    """One connection's worth of the file."""
    import requests

    have = _size(part)
    # Compressed on the way, the bytes could not be counted.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return  # all of it is there
            _write(part, "wb", b"")
            raise requests.ConnectionError("the file at the server is shorter than what was kept of it")
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            have = 0  # the server sends the whole file again
        length = response.headers.get("Content-Length")
        total = None if length is None else have + int(length)
        mode = "ab" if have else "wb"
        report(have, total)
        for block in response.iter_content(BLOCK):
            _write(part, mode, block)
            mode = "ab"
            have += len(block)
            report(have, total)


def _write(part: Path, mode: str, block: bytes) -> None:
    try:
        with part.open(mode) as file:
            file.write(block)
    except OSError as error:
        advice = remedy_for_writing(error, "choose another data root")
        raise OutputError(f"cannot write {part}: {reason(error)}; {advice}") from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _reason(error: "requests.RequestException") -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return f"no answer in {TIMEOUT:g} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off again and again"
    host = urlsplit(error.request.url or "").hostname if isinstance(error.request, requests.PreparedRequest) else None
    return f"cannot connect to {host}" if host else str(error)
