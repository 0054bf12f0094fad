"""The live page's own modules in headless Chromium, and the built page served from a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_server import decoded, encoded, serve

SOURCES = Path(__file__).resolve().parents[2] / "docs" / "live"

CALL = """async ([module, name, args]) => {
  const types = { float32: Float32Array, float64: Float64Array, uint8: Uint8Array };
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const decode = (value) => value?.$type ? new types[value.$type](bytes(value.data)) : value;
  const encode = (value) => {
    if (ArrayBuffer.isView(value)) {
      const type = Object.keys(types).find((key) => value instanceof types[key]);
      const raw = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      let text = "";
      for (let k = 0; k < raw.length; k += 8192)
        text += String.fromCharCode(...raw.subarray(k, k + 8192));
      return { $type: type, data: btoa(text) };
    }
    if (Array.isArray(value)) return value.map(encode);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, encode(one)]));
  };
  const found = await import(`/${module}.js`);
  return encode(await found[name](...args.map(decode)));
}"""


@pytest.fixture(scope="session")
def call(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Calls a function that a module exports: call("toy", "render", scene, 8, [64, 64])."""
    server = serve(SOURCES)
    page = chromium.new_page()
    page.goto(next(server) + "/live.css")  # any page of the server's will do

    def called(module: str, name: str, *args: Any) -> Any:
        return decoded(page.evaluate(CALL, [module, name, [encoded(value) for value in args]]))

    yield called
    page.close()
