"""Serves a folder to the tests' browser, and takes arrays there and back."""

from __future__ import annotations

import json
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np


def serve(folder: Path) -> Iterator[str]:
    """The address of a server of a folder."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def encoded(value: Any) -> Any:
    """As json can hold it: of an array its type and its bytes."""
    if isinstance(value, np.ndarray):
        data = b64encode(np.ascontiguousarray(value).tobytes()).decode("ascii")
        return {"$type": str(value.dtype), "data": data}
    return json.loads(json.dumps(value))


def decoded(value: Any) -> Any:
    """Arrays, flat, from what `encoded` or the page made of them."""
    if isinstance(value, dict) and "$type" in value:
        return np.frombuffer(b64decode(value["data"]), value["$type"])
    if isinstance(value, dict):
        return {key: decoded(one) for key, one in value.items()}
    return [decoded(one) for one in value] if isinstance(value, list) else value
