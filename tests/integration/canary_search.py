"""Looks for canaries in every byte of a folder: in files as they lie, and in what they hold."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import numpy as np
import pyarrow.parquet as pq

#: bytes of a canary that are looked for first
HEAD = 8


def _texts(value: Any) -> Iterator[str]:
    """Every text inside a decoded value, keys too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from (str(key), *_texts(inner))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
    elif value is not None:
        yield str(value)


def decoded(path: Path) -> set[str]:
    """Every text of a file in a format that compresses or splits it."""
    if path.suffix == ".parquet":
        return set(_texts(pq.ParquetFile(path).read().to_pylist()))
    if path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as con:
            names = con.execute(
                "select table_schema, table_name from information_schema.tables"
            ).fetchall()
            rows = (con.execute(f'from {s}."{t}"').fetchall() for s, t in names)
            return {text for found in rows for text in _texts(found)}
    if path.suffix == ".db":
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            names = db.execute("select name from sqlite_master where type = 'table'").fetchall()
            rows = [row for (t,) in names for row in db.execute(f'select * from "{t}"').fetchall()]
        return {_unpacked(v) for row in rows for v in row if isinstance(v, str | bytes)}
    return set()


def _unpacked(value: str | bytes) -> str:
    if isinstance(value, str):
        return value
    is_packed = value[:1] == b"\x78"
    return (zlib.decompress(value) if is_packed else value).decode("utf-8", "replace")


def leaks_of(told: Mapping[str, Any], data: Path) -> list[str]:
    """Canaries in what the run wrote and said, by kind, field and file; never the canaries."""
    files = [p for p in sorted(data.rglob("*")) if p.is_file() and not p.is_symlink()]
    written = [p for p in files if p.relative_to(data).parts[0] not in ("landing", "keys")]
    assert len(written) > 3
    haystacks = {
        str(path.relative_to(data)): path.read_bytes().lower()
        + "\n".join(sorted(decoded(path))).lower().encode("utf-8", "replace")
        for path in written
    }
    haystacks["(names of files)"] = "\n".join(map(str, written)).lower().encode()
    haystacks["(output)"] = (told["out"] + told["err"]).lower().encode()
    needles = {
        spelled.encode(): told
        for core, told in told["planted"].items()
        for spelled in (core, quote(core).lower(), json.dumps(core)[1:-1])
    }
    leaks = {
        f"{kind}, planted in {place}: found in {name}"
        for name, content in haystacks.items()
        for kind, place in map(needles.__getitem__, found_in(needles, content))
    }
    return sorted(leaks)


def found_in(needles: Iterable[bytes], content: bytes) -> set[bytes]:
    """Those of thousands of needles that are in some megabytes, by their first bytes at once."""
    by_head: dict[int, list[bytes]] = {}
    short = {needle for needle in needles if len(needle) < HEAD}
    for needle in {*needles} - short:
        by_head.setdefault(int.from_bytes(needle[:HEAD], "little"), []).append(needle)
    heads = np.array(sorted(by_head), dtype="<u8")
    seen: set[int] = set()
    for start in range(min(HEAD, len(content) - HEAD + 1)):
        whole = (len(content) - start) // HEAD
        windows = np.frombuffer(content, "<u8", whole, start)
        there = heads[np.searchsorted(heads, windows) % len(heads)] == windows
        seen.update(windows[there].tolist())
    found = {n for head in seen for n in by_head[head] if n in content}
    return found | {n for n in short if n in content}
