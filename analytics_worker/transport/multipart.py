"""Encode a form with one file as multipart/form-data (RFC 7578), without holding the file in memory.

Reads the file while it is sent; writes nothing.
"""

import json
import secrets
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

CHUNK = 256 * 1024


def multipart(
    fields: Mapping[str, Any], file_field: str, filename: str, path: Path
) -> tuple[Generator[bytes], int, str]:
    """Return the body, its size in bytes and its content type; values other than text become JSON.

    Raises:
        OSError: the file can't be read.
    """
    boundary = secrets.token_hex(16)
    headers = b"".join(_field(boundary, name, value) for name, value in fields.items())
    headers += _disposition(boundary, f'name="{file_field}"; filename="{_quoted(filename)}"')
    headers = headers.removesuffix(b"\r\n") + b"Content-Type: application/octet-stream\r\n\r\n"
    closing = f"\r\n--{boundary}--\r\n".encode()
    size = len(headers) + path.stat().st_size + len(closing)
    return _parts(headers, path, closing), size, f"multipart/form-data; boundary={boundary}"


def _parts(headers: bytes, path: Path, closing: bytes) -> Generator[bytes]:
    yield headers
    yield from file_chunks(path)
    yield closing


def file_chunks(path: Path) -> Generator[bytes]:
    """Read a file piece by piece."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _field(boundary: str, name: str, value: object) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value)
    return _disposition(boundary, f'name="{name}"') + text.encode(errors="replace") + b"\r\n"


def _disposition(boundary: str, parameters: str) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {parameters}\r\n\r\n".encode()


def _quoted(filename: str) -> str:
    """Percent-encode the characters that would end the parameter, as browsers do."""
    return filename.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
