"""Guardrails and the budget allocator; ``allocate`` is what other stages and people call."""

from mkt_assets.allocation.allocator import allocate

__all__ = ["allocate"]
