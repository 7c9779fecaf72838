"""What must hold of the insights before anything is published."""

from mkt_assets.model_assets import contract_checks

CHECKS = contract_checks("insights")
