"""Strategies for tests, written in a line or two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mmbt.strategies.base import HOOKS, Strategy

__all__ = ["nth", "script"]


def script(interval: str | int | None = None, **hooks: Callable[..., Any]) -> Strategy:
    """A strategy that overrides the given hooks only: ``script(on_tob=lambda ctx: ctx.quote(ctx.bid, ctx.ask))``."""
    unknown = sorted(set(hooks) - set(HOOKS))
    if unknown:
        raise TypeError(f"no such hook: {', '.join(unknown)}")
    methods: dict[str, Any] = {name: _method(hook) for name, hook in hooks.items()}
    strategy: Strategy = type("Script", (Strategy,), methods)()
    strategy.interval = interval
    return strategy


def nth(acts: Mapping[int, Callable[..., Any]]) -> Callable[..., None]:
    """A hook that acts in some of its calls, counted from 0."""
    calls = iter(range(2**62))

    def hook(ctx: Any, *told: Any) -> None:
        act = acts.get(next(calls))
        if act is not None:
            act(ctx, *told)

    return hook


def _method(hook: Callable[..., Any]) -> Callable[..., None]:
    def method(self: Strategy, ctx: Any, *told: Any) -> None:
        hook(ctx, *told)

    return method
