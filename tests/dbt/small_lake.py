"""A tiny lake of two days that holds all cases once."""

from __future__ import annotations

from lake_project import DAY_1, DAY_2, Project, Row, ad, event, ledger_row


def _events() -> list[Row]:
    item = {"item_id": "i", "item_name": "I", "price": "2.5", "quantity": 2, "item_revenue": "5"}
    paid = {"transaction_id": "T1", "purchase_revenue": "20.10", "currency": "EUR"}
    return [
        event("session_start", "ann", 0, page_location="https://shop.example/a"),
        event("page_view", "ann", 1, param_source="google", param_medium="organic"),
        event("view_item", "ann", 2),
        event("purchase", "ann", 3, **paid),
        # reloaded the next day, in another session: the same purchase
        event("purchase", "ann", 24 * 60, **paid, ga_session_id=2),
        event("refund", "ann", 24 * 60 + 1, transaction_id="T1", refund_value="5", ga_session_id=2),
        # crosses midnight
        event("page_view", "bob", 719, session_source="facebook.com", session_medium="paid"),
        event("page_view", "bob", 721),
        # blank transaction ids, no revenue of its own, no session
        event("purchase", "cat", 5, transaction_id="", items=[item], currency="EUR"),
        event("purchase", "cat", 6, transaction_id="(not set)", ga_session_id=None),
        # the same session number on another stream is another session
        event("page_view", "cat", 7, stream_id="app", first_user_source="never"),
    ]


def _ads() -> list[Row]:
    full = {"leads": 1, "conversions": "0.5", "revenue": "30"}
    return [
        ad(DAY_1, "Social", "Spring", impressions=10, clicks=1, spend="9.99", **full),
        ad(DAY_1, "social", "SPRING", impressions=1000, clicks=90, spend="0.01", **full),
        ad(DAY_1, "Search", "Brand", impressions=70, clicks=7, spend="3.3333"),
        # blank cells, and spellings that do not report the same
        ad(DAY_1, "Partner", "Club", impressions=None, clicks=20, conversions="3", spend="5"),
        ad(DAY_1, "Partner", "CLUB", impressions=50, clicks=None, conversions="1", spend="2"),
        ad(DAY_2, "Social", "Spring"),
    ]


def fill(project: Project, *, ads: bool = True, ga4: bool = True, backwards: bool = False) -> None:
    """Two days of both sources, or of one, their rows in the order below or backwards."""
    step = -1 if backwards else 1
    if ads:
        for day in (DAY_1, DAY_2):
            rows = [row for row in _ads() if row["date"] == day]
            project.write("ad_performance", rows[::step], day)
    if ga4:
        for day in (DAY_1, DAY_2):
            rows = [row for row in _events() if row["event_date"] == day]
            project.write("events", rows[::step], day)
            counts = {"event_date": day, "event_name": "page_view", "events": 7}
            project.write("cookieless_daily", [counts | {"lineage_id": f"events-{day}"}], day)
        project.write("consent_log", _consents()[::step])
    project.write("lineage_ledger", [ledger_row()], DAY_1)


def _consents() -> list[Row]:
    def change(user: str, hour: int, ads: str) -> Row:
        signals = ("ad_storage", "analytics_storage", "ad_user_data", "ad_personalization")
        when = f"2024-03-01 {hour:02}:00:00+00"
        return {"user_key": user, "changed_at": when, **dict.fromkeys(signals, ads)}

    return [
        change("ann", 8, "denied"),
        change("ann", 9, "granted"),
        change("bob", 8, "granted"),
        change("bob", 9, "denied"),
        change("bob", 9, "granted"),
    ]
