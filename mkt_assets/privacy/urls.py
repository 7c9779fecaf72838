"""Addresses without what they give away: of userinfo, query and fragment only utm_* stays.

As Python for few and as SQL for many; both agree. What a campaign parameter or a path says is
scanned afterwards like any text. Limit: a person's name inside the path stays.
"""

from __future__ import annotations

import re
from typing import Final

from mkt_assets.privacy.pii import literal
from mkt_assets.privacy.spelling import without_entities

#: the documented GA4 campaign parameters
CAMPAIGN_PARAMETERS: Final = (
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_id",
    "utm_term",
    "utm_content",
    "utm_source_platform",
    "utm_creative_format",
    "utm_marketing_tactic",
)

#: click ids that Google Ads, Display & Video, Merchant Center and Microsoft add, in order of rank
CLICK_IDS: Final = ("gclid", "gbraid", "wbraid", "dclid", "gclsrc", "srsltid", "msclkid")

_RARE_SIGNS = "[@%;]"
#: without any of these an address has nothing to lose
_SIGNS = "?#@%;"
_USERINFO = r"^([A-Za-z][A-Za-z0-9+.\-]*:)?[/\\]{2}[^/\\]*@"
# an encoded "?" or "#", once or several times over, hides a query in the path
_HIDDEN_QUERY = r"(?s)%(?:25)*(?:3[Ff]|23).*"
_PATH_PARAMETER = r";[^/]*"
_CAMPAIGN = f"^(?:{'|'.join(CAMPAIGN_PARAMETERS)})="


def clean_url(url: str) -> str:
    """The address with its userinfo, path parameters, fragment and most of its query removed."""
    address = without_entities(url).split("#", 1)[0]
    text, _, query = address.partition("?")
    text = re.sub(_USERINFO, r"\1//", text, count=1, flags=re.ASCII)
    text = re.sub(_HIDDEN_QUERY, "", text, count=1, flags=re.ASCII)
    text = re.sub(_PATH_PARAMETER, "", text, flags=re.ASCII)
    parameters = query.replace(";", "&").replace("?", "&").split("&")
    kept = [p for p in parameters if re.match(_CAMPAIGN, p)]
    return text + ("?" + "&".join(kept) if kept else "")


def clean_url_sql(url: str) -> str:
    """``clean_url`` over a VARCHAR column without entities; NULL stays NULL.

    The slow steps are asked for only where their signs are there, which is seldom.
    """
    text = f"split_part(split_part({url}, '#', 1), '?', 1)"
    rare = rf"regexp_replace({text}, {literal(_USERINFO)}, '\1//')"
    rare = f"regexp_replace({rare}, {literal(_HIDDEN_QUERY)}, '')"
    rare = f"regexp_replace({rare}, {literal(_PATH_PARAMETER)}, '', 'g')"
    text = f"case when regexp_matches({url}, {literal(_RARE_SIGNS)}) then {rare} else {text} end"
    query = f"replace(replace({_query(url)}, ';', '&'), '?', '&')"
    kept = (
        f"list_filter(string_split({query}, '&'), "
        f"lambda parameter: regexp_matches(parameter, {literal(_CAMPAIGN)}))"
    )
    kept = f"rtrim(concat('?', array_to_string({kept}, '&')), '?')"
    cleaned = f"({text}) || case when {_has_query(url, 'utm_')} then {kept} else '' end"
    has_sign = " or ".join(f"contains({url}, '{sign}')" for sign in _SIGNS)
    return f"case when {has_sign} then {cleaned} else {url} end"


def click_ids_sql(url: str) -> str:
    """The kinds of click id in an address's query as a list, NULL where none; never the ids."""
    kinds = "|".join(CLICK_IDS)
    found = f"regexp_extract_all('&' || lower({_query(url)}), '[&;?]({kinds})=[^&;?]', 1)"
    return f"case when {_has_query(url, '=')} then {found} end"


def _query(url: str) -> str:
    address = f"split_part({url}, '#', 1)"
    return f"substr({address}, strpos({address}, '?') + 1)"


def _has_query(url: str, sign: str) -> str:
    return f"contains({url}, '{sign}') and contains(split_part({url}, '#', 1), '?')"
