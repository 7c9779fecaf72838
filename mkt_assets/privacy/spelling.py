r"""One plain spelling of a text: the step before the patterns, in SQL for many and Python for few.

Digits and signs of other scripts and widths become ASCII, percent-escapes, entities and ``\u0040``
become the sign they stand for, runs of blanks become one, invisible signs go, and a long run of
random letters and digits becomes ``RANDOM``. Both languages agree, and a plain text stays as it is:
no decoded sign can be a part of another escape. What stays out: what is personal (``pii``).

Limits: an escape within an escape of another kind, escaped letters and digits, and a random run
within a name that is several times as long.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: stands for a run of signs that nobody typed; a control sign, so no pattern but its own knows it
RANDOM: Final = "\x1d"

# what looks like an ASCII sign: full and small widths, other dots, dashes and blanks
_LOOKALIKES: Final = {
    **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys("\u3002\uff61\u2024\ufe52", "."),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\ufe58\ufe63", "-"),
    **dict.fromkeys("\u00a0\u202f\u205f\u3000", " "),
    **{chr(code): " " for code in range(0x2000, 0x200B)},
    "\ufe6b": "@",
}
#: none of these many is a digit
_IDEOGRAPHS: Final = range(0x3400, 0xA000)
_DIGITS: Final = {
    chr(code): str(unicodedata.decimal(chr(code)))
    for code in (*range(0x660, 0x10000), *range(0x1D7CE, 0x1D800))
    if code not in _IDEOGRAPHS and unicodedata.decimal(chr(code), None) is not None
}
_SEEN: Final = {**_DIGITS, **_LOOKALIKES}
#: soft hyphens, joiners, marks of direction
_INVISIBLE: Final = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\u2066\u2067\u2068\u2069\ufeff"
_TRANSLATED: Final = str.maketrans(_SEEN) | str.maketrans("", "", _INVISIBLE)

# signs of escapes, themselves escaped by percent, once or several times over
_PERCENT: Final = "%(?:25)*"
_AND: Final = f"(?:&(?:amp;)*|{_PERCENT}26)"
_HASH: Final = f"(?:#|{_PERCENT}23)"
_END: Final = f"(?:;|{_PERCENT}3[Bb])"


def _entity(decimal: str, hexadecimal: str, name: str, end: str = _END) -> str:
    # a name without its end may be the name of a parameter
    return f"{_AND}(?:{_HASH}0*{decimal}{end}|{_HASH}[Xx]0*{hexadecimal}{end}|{name}{_END})"


def _escapes(decimal: str, hexadecimal: str, name: str, also: str = "") -> str:
    return "|".join(
        (
            f"{_PERCENT}{hexadecimal}",
            _entity(decimal, hexadecimal, name, f"{_END}?"),
            rf"\\(?:u00|x){hexadecimal}",
            *([also] if also else []),
        )
    )


#: sign -> its number in decimal and hexadecimal, its name; only signs that are no part of an escape
_SIGNS: Final = {
    "@": ("64", "40", "commat"),
    ".": ("46", "2[Ee]", "period"),
    "+": ("43", "2[Bb]", "plus"),
    "-": ("45", "2[Dd]", "(?:hyphen|dash)"),
    ":": ("58", "3[Aa]", "colon"),
    "/": ("47", "2[Ff]", "sol"),
    "_": ("95", "5[Ff]", "lowbar"),
    "(": ("40", "28", "lpar"),
    ")": ("41", "29", "rpar"),
    "=": ("61", "3[Dd]", "equals"),
    " ": ("(?:32|160)", "(?:20|09|0[AaDd])", "nbsp"),
}
#: beyond ASCII, as UTF-8 in percent-escapes
_WIDE: Final = {
    "@": "%[Ee][Ff]%[Bb][Cc]%[Aa]0",
    "-": "%[Ee]2%80%9[0-4]",
    " ": "%[Cc]2%[Aa]0|%[Ee]2%80%(?:[Aa][Ff]|89)",
}
_ESCAPES: Final = {
    sign: _escapes(*spelled, _WIDE.get(sign, "")) for sign, spelled in _SIGNS.items()
}
_ENTITIES: Final = {sign: _entity(*spelled) for sign, spelled in _SIGNS.items()}
_BLANKS: Final = r"[\t\n\r\f]| [ \t\n\r\f]"
_BLANK_RUN: Final = r"[ \t\n\r\f]+"

# of a long run: words as people write and join them, and pieces of words that a random run lacks
_WORD: Final = "[A-Z]?[a-z]+|[A-Z]+|[0-9]+"
_NOT_JOINED: Final = "[^w]+w?|^w"
_LETTERS_AND_DIGITS: Final = "[A-Za-z0-9]+"
_LONG_PIECE: Final = "[A-Z]?[a-z]{3,}|[A-Z]{4,}|[0-9]{4,}"
#: how many letters of long pieces weigh as much as one change of kind within a word
_LETTERS_A_CHANGE: Final = 5
_RUN: Final = r"[A-Za-z0-9_\-]{32,}"
#: base64 as it was first defined; a path looks alike, so it is asked last
_RUN_OF_BASE64: Final = r"[A-Za-z0-9_\-+/]{32,}"
_AMP_ID: Final = r"amp-[A-Za-z0-9_\-]{22,}"
#: each kind of run, and what a letter in a long piece weighs there
_RUNS: Final = ((_RUN, 1), (_AMP_ID, 0), (_RUN_OF_BASE64, 1))

#: letters and digits change so often in one run: what every random run has and few addresses have
_CHANGES: Final = r"(?:(?:[A-Za-z][0-9]|[0-9][A-Za-z]|[a-z][A-Z])[A-Za-z0-9_\-+/]*?){3}"

#: what a text has whose plain spelling is another one
RARE: Final = "|".join(
    (
        f"[{''.join(sorted((*_SEEN, *_INVISIBLE)))}]",
        *_ESCAPES.values(),
        _BLANKS,
        _CHANGES,
    )
)


def plain(text: str) -> str:
    """The plain spelling of ``text``."""
    if not re.search(RARE, text):
        return text
    text = text.translate(_TRANSLATED)
    for sign, escapes in _ESCAPES.items():
        text = re.sub(escapes, sign, text)
    text = re.sub(_BLANK_RUN, " ", text)
    for run, weight in _RUNS if re.search(_CHANGES, text) else ():
        found = {one for one in re.findall(run, text) if _is_random(one, weight)}
        for one in sorted(found, key=lambda one: (-len(one), one)):
            text = text.replace(one, RANDOM)
    return text


def without_entities(text: str) -> str:
    """A text with its entities decoded: their ``#`` and ``;`` part addresses."""
    for sign, entity in _ENTITIES.items():
        text = re.sub(entity, sign, text)
    return text


def without_entities_sql(text: str) -> str:
    """``without_entities`` over a VARCHAR expression."""
    decoded = text
    for sign, entity in _ENTITIES.items():
        decoded = f"regexp_replace({decoded}, {_quoted(entity)}, '{sign}', 'g')"
    return f"case when regexp_matches({text}, {_quoted(_END)}) then {decoded} else {text} end"


def plain_sql(text: str) -> str:
    """``plain`` over a VARCHAR expression."""
    seen, instead = "".join(_SEEN), "".join(_SEEN.values())
    # what has nothing to become goes; 30 microseconds, so not for texts in ASCII
    translated = f"translate(t, '{seen}{_INVISIBLE}', {_quoted(instead)})"
    text = _with_t(text, f"case when strlen(t) > length(t) then {translated} else t end")
    for sign, escapes in _ESCAPES.items():
        text = f"regexp_replace({text}, {_quoted(escapes)}, '{sign}', 'g')"
    text = f"regexp_replace({text}, '{_BLANK_RUN}', ' ', 'g')"
    replaced = "t"
    for run, weight in _RUNS:
        replaced = _with_t(replaced, _without_random_sql(run, weight))
    return _with_t(text, f"case when regexp_matches(t, '{_CHANGES}') then {replaced} else t end")


def _with_t(text: str, expression: str) -> str:
    """An expression over ``text`` by the name t: of a list of one, so that it is there once."""
    return f"list_transform([{text}], lambda t: {expression})[1]"


def _without_random_sql(run: str, weight: int) -> str:
    random = (
        f"list_filter(list_distinct(regexp_extract_all(t, '{run}')), "
        f"lambda r: {_is_random_sql('r', weight)})"
    )
    by_size = f"list_sort(list_transform({random}, lambda r: {{n: -length(r), r: r}}))"
    found = f"list_transform({by_size}, lambda one: one.r)"
    return f"list_reduce(list_prepend(t, {found}), lambda t, r: replace(t, r, chr(29)))"


def _is_random(run: str, weight: int) -> bool:
    """Whether letters and digits change within words more often than in what people write.

    Changes are weighed against the signs that join words, and against the letters of long pieces.
    So words joined by signs, each with one change at most ("q1", "42eu"), are never random.
    """
    changes = len(re.sub(_NOT_JOINED, "", re.sub(_WORD, "w", run)))
    joints = len(re.sub(_LETTERS_AND_DIGITS, "", run))
    long = len(run) - len(re.sub(_LONG_PIECE, "", run))
    return _LETTERS_A_CHANGE * (changes - joints - weight) > weight * long


def _is_random_sql(run: str, weight: int) -> str:
    words = f"regexp_replace({run}, '{_WORD}', 'w', 'g')"
    changes = f"length(regexp_replace({words}, '{_NOT_JOINED}', '', 'g'))"
    joints = f"length(regexp_replace({run}, '{_LETTERS_AND_DIGITS}', '', 'g'))"
    long = f"(length({run}) - length(regexp_replace({run}, '{_LONG_PIECE}', '', 'g')))"
    return f"{_LETTERS_A_CHANGE} * ({changes} - {joints} - {weight}) > {weight} * {long}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
