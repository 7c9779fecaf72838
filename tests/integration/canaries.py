"""Made-up identifiers of every kind, each unique, so that one that got through names its kind."""

from __future__ import annotations

import hashlib
import json
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable

from stdnum import iban, luhn


def _card(n: int) -> str:
    digits = f"411122{n:09d}"
    return digits + luhn.calc_check_digit(digits)


def _iban(n: int) -> str:
    account = f"37040044{n:010d}"
    return "DE" + iban.calc_check_digits(f"DE00{account}") + account


def _jwt(n: int) -> str:
    head, body = (urlsafe_b64encode(part).decode().rstrip("=") for part in _jwt_parts(n))
    return f"{head}.{body}.{hashlib.md5(str(n).encode()).hexdigest()[:22]}"


def _jwt_parts(n: int) -> tuple[bytes, bytes]:
    return b'{"alg":"HS256"}', json.dumps({"sub": f"canary-{n}"}).encode()


#: kind -> the canary of a number, and the part of it that must not survive by itself
KINDS: dict[str, Callable[[int], tuple[str, str]]] = {
    "email": lambda n: (f"canary{n}q@mail{n}.example.com", f"canary{n}q"),
    "email, capitals": lambda n: (f"Canary{n}Q@EXAMPLE.ORG", f"canary{n}q"),
    "email, percent-encoded": lambda n: (f"canary{n}q%40mail.example", f"canary{n}q"),
    "email, encoded twice": lambda n: (f"canary{n}q%2540mail.example", f"canary{n}q"),
    "email, other letters": lambda n: (f"c\u00e4nary{n}q@m\u00fcller.example", f"nary{n}q"),
    "email, wide sign": lambda n: (f"canary{n}q\uff20mail.example", f"canary{n}q"),
    "phone": lambda n: (f"+49 151 2{n:07d}", f"151 2{n:07d}"),
    "phone, no gaps": lambda n: (f"+491513{n:07d}", f"1513{n:07d}"),
    "phone, percent-encoded": lambda n: (f"%2B491514{n:07d}", f"1514{n:07d}"),
    "phone, zeros": lambda n: (f"0049 151 5{n:07d}", f"151 5{n:07d}"),
    "phone, hard spaces": lambda n: (
        f"+1\u00a0415\u00a0{n // 10000:03d}\u00a0{n % 10000:04d}",
        f"415\u00a0{n // 10000:03d}\u00a0{n % 10000:04d}",
    ),
    "phone, national": lambda n: (f"(415) {200 + n // 10000:03d}-{n % 10000:04d}",) * 2,
    "ip": lambda n: (f"203.{n // 250}.113.{n % 250}",) * 2,
    "ip, version 6": lambda n: (f"2001:db8:85a3::{n:x}:7334",) * 2,
    "card": lambda n: (_card(n), _card(n)),
    "card, groups": lambda n: (" ".join(_card(n)[k : k + 4] for k in (0, 4, 8, 12)),) * 2,
    "iban": lambda n: (_iban(n), _iban(n)[2:]),
    "client id": lambda n: (f"17345{n:05d}.17400{n:05d}", f"17400{n:05d}"),
    "client id, cookie": lambda n: (f"GA1.2.16345{n:05d}.17300{n:05d}", f"16345{n:05d}"),
    "click id": lambda n: (f"CjwKCAiA{n:06d}BBhBZEiwAX3gql", f"{n:06d}BBhB"),
    "click id, named": lambda n: (f"gclid=canary-{n}-click", f"canary-{n}-click"),
    "jwt": lambda n: (_jwt(n), _jwt(n)),
    "uuid": lambda n: (str(uuid.UUID(int=(0xCAFE << 112) + n)),) * 2,
    "hash, 32 digits": lambda n: (hashlib.md5(f"c{n}".encode()).hexdigest(),) * 2,
    "hash, 64 digits": lambda n: (hashlib.sha256(f"c{n}".encode()).hexdigest(),) * 2,
    "hash, capitals": lambda n: (hashlib.sha256(f"d{n}".encode()).hexdigest().upper(),) * 2,
}
OWN_LOGIN, OWN_CLIENT = "own login, no form", "own client id, no form"


class Nursery:
    """Makes canaries, each once, and remembers what was planted where."""

    def __init__(self) -> None:
        self.planted: dict[str, tuple[str, str]] = {}

    def canary(self, kind: str, place: str) -> str:
        value, core = KINDS[kind](len(self.planted) + 1)
        assert core.lower() not in self.planted, "a canary is to be unique"
        self.planted[core.lower()] = (kind, place)
        return value

    def own(self, kind: str, place: str) -> str:
        value = f"{'osprey' if kind == OWN_CLIENT else 'quill'}-{len(self.planted)}-shopper"
        self.planted[value] = (kind, place)
        return value
