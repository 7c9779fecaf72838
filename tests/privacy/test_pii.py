"""What the patterns find, what they leave alone, and that SQL and Python find the same."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkt_assets.privacy import pii

FOUND = {
    "email": [
        "jane.doe@example.com",
        "jane%40example.com",
        "jane%2540example.com",
        "jane%40example%2Ecom",
        "j\u00fcrgen@m\u00fcller.de",
        "jane\uff20example.com",
        "jane+shop@mail.example.co.uk",
        "jane&#64;example.com",
        "jane&#x40;example.com",
        "jane&commat;example.com",
        "jane\\u0040example.com",
        "jane @example.com",
        "jane@[10.1.2.3]",
    ],
    "phone": [
        "+49 151 23456789",
        "+4915123456789",
        "%2B4915123456789",
        "0049 151 23456789",
        "(555) 123-4567",
        "555-123-4567",
        "0151 23456789",
        "+1\u00a0415\u00a0555\u00a00134",
        "015123456789",
        "+49\t151\t23456789",
        "+\uff14\uff19\uff11\uff15\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18",
        "+\u0664\u0669\u0661\u0665\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668",
    ],
    "ip": [
        "192.168.10.20",
        "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
        "2001:db8::8a2e:370:7334",
        "fe80::1",
        "2001%3Adb8%3A%3A1",
        "192%2E0%2E2%2E20",
    ],
    "card": [
        "4111 1111 1111 1111",
        "4111111111111111",
        "4111-1111-1111-1111",
        "3782 822463 10005",
        "3056 930902 5904",
        "5105/1051/0510/5100",
        "6011\t1111\t1111\t1117",
        "4929  1234  5678  9013",
        "\uff14" + "\uff11" * 15,
    ],
    "iban": [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819",
        "FR1420041010050500013M02606",
        "NO93 8601 1117 947",
    ],
    "client_id": [
        "1234567890.1612345678",
        "GA1.2.1234567890.1612345678",
        "2697787.2422183099",
        "1234567890%2E1612345678",
        "1234567890-1612345678",
        "1234567890_1612345678",
        "1234567890 . 1612345678",
    ],
    "token": [
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "d41d8cd98f00b204e9800998ecf8427e",
        "123e4567-e89b-12d3-a456-426614174000",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmN",
        "123e4567_e89b_12d3_a456_426614174000",
        "Drmhze6EPcv0fN_81Bj-nA5kQx7wYtZ2uLs9GoVpIeM",
        "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
        "sk_live_51H8x2pQrStUvWxYz0123456789abcd",
        "ya29.a0AfH6SMBx-9kq_Lz0pQ-rT7uVwXyZ12",
        "q83vEjRWeJCrze8SNFZ4kKvN+xI0VniQq83v/hI0VniQ==",
        "amp-Xy3kD9fQ2mVb7LtR8sWcZQ",
    ],
    "click_id": ["CjwKCAiA1eKBBhBZEiwAX3gqlxNwQ-x_y", "gclid=Tester-123", "_ga=2.14.99"],
}

INNOCENT = [
    "Summer Sale 2025 | Running shoes 42.5",
    "brand_de_search_exact_2025-02-01_2025-02-28",
    "spring+20210201",
    "20210201-20210228",
    "https://www.shop.example/product/running-shoe-1234567/reviews",
    "Follow us @shop",
    "Lebensversicherungsgesellschaft",
    "SummerSale2025GermanySearchBrand",
    "Windows NT 10.0",
    "10:30:45",
    "Cafe::Bar",
    "a-very-long-slug-of-an-article-about-the-best-shoes-of-the-year",
    "(not set)",
    "S\u00e3o Paulo",
    "12,345.67",
    "summer-sale-2025-mens-running-shoes-blue-size-42",
    "GO_DE_DE_SRC_BR_EX_CPC_2025_Q1_v2_b2b_4k_test",
    "DE_Search_Brand_Exact_2025Q1_v2_Mobile_iOS17_iPhone15ProMax",
    "nike-air-max-90-gtx-m-us10-eu44-w2w-b2b-k8s-4k-hdr10",
    "amp-landing-page-for-summer-sale",
    "/2024/2025/2026/1234",
    "https://a.example/?utm_source=40plus.example",
]

GOODS_AND_ORDERS = ["4006381333931", "20210201123456789", "012345678905", "SKU-4711", "T1000234"]


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, ts in FOUND.items() for t in ts])
def test_it_is_found_and_named(kind: str, text: str) -> None:
    assert kind in pii.findings(text)
    for around in ("{}", "Hello {} you", "https://shop.example/a/{}/b", "x={}", "_{}"):
        redacted = pii.redact(around.format(text))
        assert pii.REDACTED in redacted
        assert pii.findings(redacted) == []


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_text_stays(text: str) -> None:
    assert pii.redact(text) == text


@pytest.mark.parametrize("text", GOODS_AND_ORDERS)
def test_codes_of_goods_and_orders_stay(text: str) -> None:
    assert pii.redact(text, pii.CODE) == text


@pytest.mark.parametrize("kind", ["email", "ip", "iban", "client_id", "card", "click_id"])
def test_codes_are_searched_for_what_has_a_form(kind: str) -> None:
    for text in FOUND[kind]:
        assert pii.REDACTED in pii.redact(f"A-{text}", pii.CODE)


PIECES = st.sampled_from(
    [t for texts in FOUND.values() for t in texts]
    + [*INNOCENT, *GOODS_AND_ORDERS, "@", "%40", ".", "::", " ", "_", "/", "00", "+", "-", "\n"]
)


@pytest.mark.slow
@given(texts=st.lists(st.lists(PIECES | st.text(max_size=6), max_size=6).map("".join), max_size=8))
@settings(max_examples=60, deadline=None)
def test_sql_and_python_redact_alike(texts: list[str]) -> None:
    texts = [text.replace("\x00", "") for text in texts]
    for pattern in (pii.PROSE, pii.CODE):
        sql = f"select {pii.redact_sql('t', pattern)}, {pii.has_personal_sql('t', pattern)} "
        told = duckdb.execute(f"{sql} from (select unnest(?::varchar[]) as t)", [texts]).fetchall()
        alike = [(pii.redact(t, pattern), pii.redact(t, pattern) != t) for t in texts]
        # a text that already is the mark of a redaction is found and stays the same
        assert [t for t, _ in told] == [t for t, _ in alike]
        assert all(
            found or not changed for (_, found), (_, changed) in zip(told, alike, strict=True)
        )


def test_an_empty_or_missing_text_is_no_find() -> None:
    sql = f"select {pii.redact_sql('t')} from (select unnest(['', null]) as t)"
    assert duckdb.execute(sql).fetchall() == [("",), (None,)]


@given(
    texts=st.lists(
        st.lists(PIECES | st.text(max_size=6), max_size=6).map("".join), min_size=1, max_size=8
    )
)
@settings(max_examples=200, deadline=None)
def test_texts_redacted_as_one_are_redacted_each(texts: list[str]) -> None:
    """The guard scans many texts as one: no pattern may reach across what parts them."""
    texts = [text.replace("\x1f", "").replace(pii.REDACTED, "") for text in texts]
    together = pii.redact("\x1f".join(texts)).split("\x1f")
    # one without a find stays as it came; the guard puts it back
    told = [a if pii.REDACTED in a else t for a, t in zip(together, texts, strict=True)]
    assert told == [pii.redact(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "/call%200171%202345678",
        "utm_campaign=%280171%29%202345678",
        "x%20NL91ABNA0417164300",
        "tel%3D0171%2F2345678",
        "Retarget 06 12 34 56 78",
        "06-12345678",
        "4111_1111_1111_1111",
    ],
)
def test_numbers_behind_escapes_in_pairs_or_with_underscores_are_found(text: str) -> None:
    assert pii.REDACTED in pii.redact(text)
