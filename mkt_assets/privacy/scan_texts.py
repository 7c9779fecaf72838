"""Personal data in text outside of tables: JSON, pages, logs, Dagster's events.

What is a key by its name in JSON is held against its form; all other text of ours is prose. Tools
fill their files with ids, hashes and digits of their own, so there only what they never write by
themselves is looked for. What stays out: tables (``scan``), and which files there are
(``scan_places``).

Limits: a phone number, a card number or a hash is not found in what tools write beside our own
words; of files in an unknown format only runs of readable signs are searched.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import Any, Final, NamedTuple

from mkt_assets.contracts.forms import FORMS, JSON_FORMS
from mkt_assets.privacy import pii
from mkt_assets.privacy.judging import WRONG_FORM, Finding, kinds

#: what dbt and Dagster do not write by themselves
_FOREIGN_TO_TOOLS: Final = {
    kind: pii.PROSE_PATTERNS[kind] for kind in ("email", "click_id", "client_id", "iban", "ip")
}
#: keys of Dagster's events under which our own words stand
_OUR_WORDS: Final = frozenset({"description", "message", "user_message"})
#: how Dagster calls a value of metadata: of materializations, and of checks
_METADATA: Final = ("MetadataValue", "MetadataEntryData")
#: pictures in pages and metadata, and lineage ids in sentences: long runs of signs, and no text
_NO_TEXT: Final = re.compile(
    rf"data:image/[a-z+]+;base64,[A-Za-z0-9+/=]+|\b{FORMS['lineage']}\b", re.ASCII
)
#: attributes of pages that hold geometry or style, where any three numbers look like a phone's
_DRAWN: Final = frozenset({"d", "points", "style", "transform", "viewbox"})
#: shorter than any identifier: signs that happen to be readable
_RUN: Final = re.compile(rb"[\x20-\x7e]{6,}")


class Named(NamedTuple):
    """A text, the name of what it is the value of, and whether it is a tool's or our own."""

    name: str
    text: str
    is_tools: bool = False


def scan_named(texts: Iterable[Named], place: str) -> list[Finding]:
    """The personal data in texts with names, counted by name."""
    found: Counter[tuple[str, str]] = Counter()
    for named, n in Counter(texts).items():
        for kind in _kinds(named):
            # a name may itself be what was found
            found[pii.redact(named.name), kind] += n
    return [Finding(place, name, kind, n) for (name, kind), n in sorted(found.items())]


def _kinds(named: Named) -> list[str]:
    if named.is_tools:
        return kinds(named.text, _FOREIGN_TO_TOOLS)
    form = JSON_FORMS.get(named.name)
    if form is not None:
        is_right = not named.text or re.fullmatch(FORMS[form], named.text)
        return [] if is_right else [f"{WRONG_FORM} ({form})"]
    return kinds(_NO_TEXT.sub("", named.text))


def named_texts(value: Any, name: str = "", *, is_tools: bool = False) -> Iterator[Named]:
    """Every text in decoded JSON, keys too, with the name of the nearest key above it.

    Args:
        value: decoded JSON.
        name: what the texts outside of any object are called.
        is_tools: a tool wrote it; Dagster's metadata, messages and descriptions are ours even so.
    """
    if isinstance(value, str):
        yield Named(name, value, is_tools)
    elif isinstance(value, list):
        for item in value:
            yield from named_texts(item, name, is_tools=is_tools)
    elif isinstance(value, dict) and "entry_data" in value:
        yield from _of_metadata(value["entry_data"], str(value.get("label")))
    elif isinstance(value, dict) and str(value.get("__class__")).endswith(_METADATA):
        yield from _of_metadata(value, name)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield Named("(keys)", str(key), is_tools)
            of_tools = is_tools and key not in _OUR_WORDS
            yield from named_texts(inner, str(key), is_tools=of_tools)


def _of_metadata(value: dict[str, Any], label: str) -> Iterator[Named]:
    """Metadata as Dagster stores it: the label is the name, the fields' own names say nothing."""
    yield Named("(keys)", label)
    for key, inner in value.items():
        if key != "__class__":
            yield from named_texts(inner, label)


def texts_of_json(text: str) -> list[str]:
    """The texts inside a JSON text; the text itself where it is none."""
    try:
        decoded = json.loads(text)
    except ValueError:
        return [text]
    return [named.text for named in named_texts(decoded)]


def named_in_json(text: str, name: str = "", *, is_tools: bool = False) -> list[Named]:
    """The named texts of a JSON text, or the whole as one where it is none."""
    if text[:1] in ("{", "["):
        try:
            decoded = json.loads(text)
        except ValueError:
            return [Named(name, text, is_tools)]
        return list(named_texts(decoded, name, is_tools=is_tools))
    return [Named(name, text, is_tools)]


def named_in_page(text: str) -> list[Named]:
    """The texts of a page, attributes too, without pictures and geometry."""
    page = _Page()
    page.feed(text)
    page.close()
    return page.texts


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[Named] = []

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(Named("text", data))

    def handle_comment(self, data: str) -> None:
        self.texts.append(Named("comment", data))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.texts += [Named(name, text) for name, text in attrs if text and name not in _DRAWN]


def readable_runs(content: bytes) -> list[str]:
    """The runs of readable signs in a file of an unknown format."""
    return [run.decode("ascii") for run in _RUN.findall(content)]
