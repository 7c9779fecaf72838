"""Reading A/B tests; `analyse` is what others call."""

from mkt_assets.experiments.analysis import analyse

__all__ = ["analyse"]
