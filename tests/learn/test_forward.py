"""The native forward pass against numpy in double precision."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from mmbt.learn._forward import ForwardPass


def network(*widths: int, seed: int = 0) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    layers: list[np.ndarray] = []
    for inputs, outputs in pairwise(widths):
        layers += [draw.standard_normal((inputs, outputs)).astype(np.float32) / np.float32(np.sqrt(inputs)),
                   draw.standard_normal(outputs).astype(np.float32)]
    return layers


def plainly(layers: list[np.ndarray], states: np.ndarray) -> np.ndarray:
    values = states.astype(np.float64)
    for place in range(0, len(layers), 2):
        values = values @ layers[place].astype(np.float64) + layers[place + 1]
        if place + 2 < len(layers):
            values = np.maximum(values, 0)
    return values


@pytest.mark.parametrize("widths", [(32, 64, 64, 25), (3, 64, 64, 25), (1, 1), (5, 7, 3), (9, 130, 8, 65), (4, 25)])
def test_q_values_are_those_of_plain_matrices(widths: tuple[int, ...]) -> None:
    layers = network(*widths)
    states = np.random.default_rng(1).standard_normal((50, widths[0])).astype(np.float32)
    expected = plainly(layers, states)
    found = ForwardPass(layers).values(states)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_each_row_has_the_same_bits_alone() -> None:
    forward = ForwardPass(network(32, 64, 64, 25))
    states = np.random.default_rng(1).standard_normal((20, 32)).astype(np.float32)
    alone = np.concatenate([forward.values(states[row : row + 1].copy()) for row in range(20)])
    assert alone.tobytes() == forward.values(states).tobytes()


def test_the_best_admissible_action_and_the_first_of_equals() -> None:
    forward = ForwardPass([np.zeros((2, 4), np.float32), np.array([1, 3, 3, 2], np.float32)])
    state = np.zeros(2, np.float32)
    assert forward.decide(state, np.array([1, 1, 1, 1], np.uint8)) == 1
    assert forward.decide(state, np.array([1, 0, 1, 1], np.uint8)) == 2
    assert forward.decide(state, np.array([1, 0, 0, 1], np.uint8)) == 3
    with pytest.raises(ValueError, match="admissible"):
        forward.decide(state, np.zeros(4, np.uint8))


def test_acting_for_many_markets_is_deciding_for_each() -> None:
    forward, draw = ForwardPass(network(6, 16, 9)), np.random.default_rng(3)
    states, admissible = draw.standard_normal((40, 6)).astype(np.float32), draw.random((40, 9)) < 0.5
    admissible[:, 4] = True
    actions = np.empty(40, np.int16)
    forward.act(states[:, :4], states[:, 4:], admissible.view(np.uint8), actions)
    assert list(actions) == [forward.decide(state, mask) for state, mask in
                             zip(states, admissible.view(np.uint8), strict=True)]


def test_random_actions_are_admissible_uniform_and_a_function_of_seed_step_and_market() -> None:
    forward = ForwardPass(network(2, 5))
    state, admissible = np.zeros((6000, 1), np.float32), np.zeros((6000, 5), bool)
    admissible[:, [0, 2, 3]] = True
    actions, again = np.empty(6000, np.int16), np.empty(3000, np.int16)
    forward.act(state, state, admissible.view(np.uint8), actions, epsilon=1.0, seed=7, step=3)
    forward.act(state[:3000], state[:3000], admissible[:3000].view(np.uint8), again, epsilon=1.0, seed=7, step=3)
    assert (actions[:3000] == again).all()
    counts = np.bincount(actions, minlength=5)
    assert counts[1] == counts[4] == 0
    assert np.abs(counts[[0, 2, 3]] - 2000).max() < 150  # four standard deviations
    forward.act(state, state, admissible.view(np.uint8), again := np.empty(6000, np.int16), epsilon=1.0, seed=7, step=4)
    assert (actions != again).any()


def test_epsilon_is_the_share_of_random_actions() -> None:
    forward = ForwardPass([np.zeros((2, 10), np.float32), np.arange(10, dtype=np.float32)])
    state, actions = np.zeros((20_000, 1), np.float32), np.empty(20_000, np.int16)
    forward.act(state, state, np.ones((20_000, 10), np.uint8), actions, epsilon=0.3)
    assert abs((actions != 9).mean() - 0.27) < 0.013  # four standard deviations


@pytest.mark.parametrize(("layers", "message"), [
    ([], "1 to 16"),
    ([np.zeros((2, 3), np.float32)], "1 to 16"),
    ([np.zeros((2, 3), np.float32), np.zeros(2, np.float32)], "cannot follow"),
    ([*network(2, 3), *network(4, 5)], "cannot follow"),
    ([np.full((2, 3), np.nan, np.float32), np.zeros(3, np.float32)], "not finite"),
])
def test_weights_that_do_not_fit_are_refused(layers: list[np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ForwardPass(layers)


def test_arguments_that_do_not_fit_are_refused() -> None:
    forward, actions = ForwardPass(network(4, 5)), np.empty(3, np.int16)
    one, masks = np.zeros((3, 2), np.float32), np.ones((3, 5), np.uint8)
    with pytest.raises(ValueError, match="inputs"):
        forward.values(np.zeros((3, 5), np.float32))
    with pytest.raises(ValueError, match="inputs"):
        forward.act(one, one[:, :1], masks, actions)
    with pytest.raises(ValueError, match="rows"):
        forward.act(one, one, masks[:2], actions)
    with pytest.raises(ValueError, match="admissible"):
        forward.act(one, one, np.zeros((3, 5), np.uint8), actions)


def test_deciding_needs_no_tensorflow() -> None:
    code = "import sys, mmbt.learn._forward, mmbt.learn._replay, mmbt.learn.options; print('tensorflow' in sys.modules)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "False"
