"""Judging strategies on days that nothing was chosen on (docs: evaluate)."""
