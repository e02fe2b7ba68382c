"""Positions as a vector over currencies: what is held, what it is worth through the books, and how much it varies."""

from mmbt.portfolio.risk import RiskModel, estimate_risk, portfolio_risk
from mmbt.portfolio.valuation import DIGITS, Converter, holdings, rounded

__all__ = ["DIGITS", "Converter", "RiskModel", "estimate_risk", "holdings", "portfolio_risk", "rounded"]
