"""What must hold of the experiments stage before anything is published."""

from mkt_assets.model_assets import contract_checks

CHECKS = contract_checks("experiments")
