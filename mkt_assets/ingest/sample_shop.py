"""The sample's shop, people and machines, all invented; what happens to them is elsewhere."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from mkt_assets.ingest.sample_draws import Floats, Ints

HOST = "shop.example.com"
SITE = f"https://{HOST}"

#: name, category, brand, price; by price, since a campaign's baskets are tilted along this order
PRODUCTS: tuple[tuple[str, str, str, float], ...] = (
    ("Beeswax Wrap", "Kitchen", "Larkfield", 9.90),
    ("Oak Spoon", "Kitchen", "Larkfield", 12.00),
    ("Linen Towel", "Kitchen", "(not set)", 14.50),
    ("Enamel Mug", "Kitchen", "Tarnbrook", 16.00),
    ("Trail Socks", "Clothing", "Fenwick & Moor", 17.90),
    ("Reading Light", "Home", "Tarnbrook", 24.00),
    ("Rain Hat", "Clothing", "Fenwick & Moor", 27.50),
    ("Canvas Tote", "Bags", "Larkfield", 29.00),
    ("Plant Stand", "Home", "Tarnbrook", 34.90),
    ("Wool Scarf", "Clothing", "Fenwick & Moor", 39.00),
    ("Thermos Flask", "Outdoor", "Tarnbrook", 42.50),
    ("Cotton Throw", "Home", "(not set)", 48.00),
    ("Camp Stove", "Outdoor", "Tarnbrook", 55.00),
    ("Merino Jumper", "Clothing", "Fenwick & Moor", 69.90),
    ("Day Pack", "Bags", "Larkfield", 74.00),
    ("Desk Lamp", "Home", "Tarnbrook", 82.50),
    ("Walking Boots", "Outdoor", "Fenwick & Moor", 99.00),
    ("Rain Jacket", "Clothing", "Fenwick & Moor", 119.00),
    ("Travel Bag", "Bags", "Larkfield", 139.90),
    ("Two-Person Tent", "Outdoor", "Tarnbrook", 179.00),
)
PRICES: Floats = np.array([price for *_, price in PRODUCTS])

#: people who do not exist, at domains that nobody can own
EMAILS = (
    *(
        "anna.k@example.com",
        "ben.okoro@example.org",
        "carla_m@example.com",
        "d.lindqvist@example.org",
    ),
    *("elif.t@example.com", "farid.n@example.org", "greta.w@example.com", "hugo.p@example.org"),
)

#: path, title; the first ones are what people browse, the rest follows from what they do
_BROWSED = (
    ("/", "Home"),
    ("/search?q=gift", "Search"),
    ("/kitchen", "Kitchen"),
    ("/outdoor", "Outdoor"),
    ("/clothing", "Clothing"),
    ("/bags", "Bags"),
    ("/home-living", "Home & Living"),
    ("/journal/packing-light", "Packing light"),
    ("/journal/caring-for-wool", "Caring for wool"),
    ("/help/delivery", "Delivery"),
)
_ACTED = (
    ("/cart", "Your cart"),
    ("/checkout", "Checkout"),
    ("/checkout/thank-you", "Thank you"),
    ("/contact", "Contact"),
    ("/account/new", "Join"),
)
_PRODUCT_PAGES = tuple((f"/p/{name.lower().replace(' ', '-')}", name) for name, *_ in PRODUCTS)
#: whose account page has the address in its title, too
_NAMED_IN_TITLE = 3
#: the dirt that a form sent with GET leaves behind, once as typed and once as browsers encode it
_LEAKING = tuple(
    (
        f"/account?email={email if n % 2 else email.replace('@', '%40')}",
        f"Account of {email}" if n == _NAMED_IN_TITLE else "Account",
    )
    for n, email in enumerate(EMAILS)
)
_PAGES = (*_BROWSED, *_ACTED, *_PRODUCT_PAGES, *_LEAKING)

BROWSED = len(_BROWSED)
CART, CHECKOUT, THANKS, CONTACT, JOIN = range(BROWSED, BROWSED + len(_ACTED))
FIRST_PRODUCT_PAGE = JOIN + 1
FIRST_LEAKING_PAGE = FIRST_PRODUCT_PAGE + len(PRODUCTS)
PAGE_URLS = tuple(SITE + path for path, _ in _PAGES)
PAGE_TITLES = tuple(f"{title} | Example Shop" for _, title in _PAGES)

DEVICE_WEIGHTS = (26, 18, 14, 12, 10, 8, 6, 4, 2)
_DEVICES = (
    ("mobile", "Apple", "iPhone", "iOS", "18.1", "en-gb", "Safari", "18.1"),
    ("desktop", None, None, "Windows", "11", "de-de", "Chrome", "130.0.0.0"),
    ("mobile", "Samsung", "Galaxy S23", "Android", "14", "de-de", "Chrome", "130.0.0.0"),
    ("desktop", "Apple", "(not set)", "Macintosh", "15.1", "en-us", "Safari", "18.1"),
    ("mobile", "Google", "Pixel 8", "Android", "15", "en-us", "Chrome", "130.0.0.0"),
    ("desktop", None, None, "Windows", "10", "fr-fr", "Edge", "130.0.0.0"),
    ("tablet", "Apple", "iPad", "iOS", "17.6", "en-gb", "Safari", "17.6"),
    ("desktop", None, None, "Linux", "(not set)", "en-us", "Firefox", "132.0"),
    (
        "mobile",
        "(not set)",
        "(not set)",
        "Android",
        "(not set)",
        "(not set)",
        "(not set)",
        "(not set)",
    ),
)
GEO_WEIGHTS = (20, 16, 13, 11, 9, 8, 7, 6, 6, 4)
_GEOS = (
    ("Berlin", "Germany", "Europe", "Berlin"),
    ("Hamburg", "Germany", "Europe", "Hamburg"),
    ("London", "United Kingdom", "Europe", "England"),
    ("Manchester", "United Kingdom", "Europe", "England"),
    ("Paris", "France", "Europe", "Ile-de-France"),
    ("Vienna", "Austria", "Europe", "Vienna"),
    ("Amsterdam", "Netherlands", "Europe", "North Holland"),
    ("New York", "United States", "Americas", "New York"),
    ("(not set)", "Germany", "Europe", "(not set)"),
    ("(not set)", "(not set)", "(not set)", "(not set)"),
)


def devices(kind: pa.DataType) -> pa.Array:
    """The ``device`` values, in the order of their weights."""
    names = (
        *("category", "mobile_brand_name", "mobile_model_name", "operating_system"),
        *("operating_system_version", "language"),
    )
    return pa.array(
        [
            dict(zip(names, device, strict=False))
            | {"web_info": {"browser": device[6], "browser_version": device[7], "hostname": HOST}}
            for device in _DEVICES
        ],
        kind,
    )


def geos(kind: pa.DataType) -> pa.Array:
    """The ``geo`` values, in the order of their weights."""
    names = ("city", "country", "continent", "region")
    return pa.array([dict(zip(names, geo, strict=True)) for geo in _GEOS], kind)


def products(index: Ints, quantity: Ints, sold: Floats, kind: pa.StructType) -> pa.Array:
    """``items`` entries; ``sold`` is the revenue, NaN where nothing was bought."""
    at = pa.array(index)
    names, categories, brands, prices = (pa.array(v).take(at) for v in zip(*PRODUCTS, strict=True))
    ids = pa.array([f"SKU-{number:03d}" for number in range(len(PRODUCTS))]).take(at)
    revenue = pa.array(sold, mask=np.isnan(sold))
    return pa.StructArray.from_arrays(
        [ids, names, brands, categories, prices, pa.array(quantity), revenue], fields=list(kind)
    )
