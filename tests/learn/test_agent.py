"""The learner's gradient steps against the same arithmetic in numpy, option by option."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from mmbt.learn._forward import ForwardPass  # noqa: E402
from mmbt.learn.agent import Agent, Batches  # noqa: E402
from mmbt.learn.options import LearnerOptions  # noqa: E402

INPUTS, ACTIONS, K = 4, 5, 3
ONCE = 1.0  # what the ratios of the mean squares begin with
SMALL: dict[str, Any] = {"layers": (8,), "batch": 6, "updates": 2, "balance": False}


@pytest.fixture(autouse=True)
def eagerly(request: pytest.FixtureRequest) -> Iterator[None]:
    """Arithmetic can be tested without compiling it; bits cannot."""
    tf.config.run_functions_eagerly("bits" not in request.node.name)
    yield
    tf.config.run_functions_eagerly(False)


def agent(total: int = 100, group: int = 1, **options: Any) -> Agent:
    """One whose heads have begun to differ: they begin at zero."""
    learner = Agent(INPUTS, ACTIONS, LearnerOptions(**SMALL | options), total, group)
    draw, state = np.random.default_rng(learner.options.seed), learner.state()
    heads = [draw.normal(0, 0.3, state[f"online.{place}"].shape).astype(np.float32)
             for place in range(len(learner.weights())) if not state[f"online.{place}"].any()]
    for name in ("online", "target", "average"):
        each = iter(heads)
        for place in range(len(learner.weights())):
            if not state[f"{name}.{place}"].any():
                state[f"{name}.{place}"] = next(each)
    learner.restore(state)
    return learner


def batches(seed: int = 0, taken: bool = False) -> Batches:
    draw = np.random.default_rng(seed)
    columns, nexts = (1, 1) if taken else (ACTIONS, K)

    def floats(*shape: int) -> np.ndarray:
        return draw.standard_normal((2, 6, *shape)).astype(np.float32)

    mask = draw.random((2, 6, columns)) < 0.7
    next_mask = draw.random((2, 6, nexts, ACTIONS)) < 0.7
    mask[..., 0] = next_mask[..., 1] = True
    return Batches(
        floats(INPUTS), mask, draw.integers(0, ACTIONS, (2, 6)).astype(np.int32), floats(columns),
        1 + draw.random((2, 6)).astype(np.float32), draw.integers(0, nexts, (2, 6, columns)).astype(np.uint8),
        floats(nexts, INPUTS), next_mask, draw.random((2, 6)).astype(np.float32),
        draw.random((2, 6)).astype(np.float32))


def first_metrics(learner: Agent, batch: Batches) -> tuple[np.ndarray, float]:
    """Priorities and loss of the first gradient step, in plain Python: online and target are still the same network."""
    options = learner.options

    def q(state: np.ndarray) -> np.ndarray:
        return learner.q_values(state.reshape(-1, INPUTS), "online").astype(np.float64)

    priorities, losses, means = [], [], []
    for row in range(6):
        values = []
        for k in range(batch.next_state.shape[2]):
            admissible = batch.next_mask[0, row, k]
            values.append(q(batch.next_state[0, row, k])[0][admissible].max() * batch.discount[0, row])
        learned = q(batch.state[0, row])[0]
        if options.backup == "taken":
            learned = learned[[batch.action[0, row]]]
        goal = [reward - learner.centre * batch.mass[0, row] + values[outcome]
                for reward, outcome in zip(batch.reward[0, row], batch.outcome[0, row], strict=True)]
        error = (np.array(goal) - learned)[batch.mask[0, row]]
        priorities.append(np.abs(error).mean())
        if options.loss == "huber":
            loss = np.where(np.abs(error) <= 1, error**2 / 2, np.abs(error) - 0.5).mean()
        else:
            shared = 1.0 if options.backup == "taken" else options.shared_weight
            loss = (error**2).mean() - (1 - shared) * error.mean() ** 2
        losses.append(batch.weight[0, row] * loss)
        means.append(error.mean())
    if learner.group > 1:
        for row in range(6):
            first = row // learner.group * learner.group
            common = np.mean(means[first : first + learner.group])
            between, moved = ((1 + ONCE) ** -2, 0.1 * (1 + ONCE) ** -2) if options.balance else (1, 1)
            weight = options.shared_weight * batch.weight[0, row]
            losses[row] += weight * (between * (means[row] - common) ** 2 + moved * common**2 - means[row] ** 2)
    return np.array(priorities), float(np.mean(losses))


@pytest.mark.parametrize("options", [
    {}, {"shared_weight": 0.1}, {"shared_weight": 1.0, "double": False}, {"loss": "huber"}, {"dueling": True},
    {"group": 3}, {"group": 2, "shared_weight": 0.4, "balance": True}, {"backup": "taken"}, {"layers": ()},
    {"layers": (8, 7), "dueling": True, "backup": "taken", "n_step": 3},
], ids=str)
def test_loss_and_priorities_are_those_of_plain_arithmetic(options: dict[str, Any]) -> None:
    learner, batch = agent(**options), batches(taken=options.get("backup") == "taken")
    learner.centre = 0.3
    priorities, loss = first_metrics(learner, batch)
    found = learner.update(batch)
    assert found.priority[0] == pytest.approx(priorities, rel=1e-4)
    assert found.loss[0] == pytest.approx(loss, rel=1e-4)


def test_a_gradient_step_is_adams() -> None:
    learner, batch = agent(layers=(), shared_weight=1.0, clip_norm=0.0, decay="none", target="periodic"), batches()
    kernel, bias = learner.weights("online")
    once = Batches(*(np.repeat(column[:1], 2, 0) for column in batch))
    first, second = [np.zeros_like(kernel), np.zeros_like(bias)], [np.zeros_like(kernel), np.zeros_like(bias)]
    goal_kernel, goal_bias = kernel.copy(), bias.copy()
    for step in (1, 2):
        gradient = [np.zeros_like(kernel), np.zeros_like(bias)]
        for row in range(6):
            mask = once.mask[0, row]
            nexts = once.next_state[0, row] @ goal_kernel + goal_bias
            chosen = np.where(once.next_mask[0, row], once.next_state[0, row] @ kernel + bias, -np.inf).argmax(1)
            value = nexts[np.arange(K), chosen] * once.discount[0, row]
            error = once.reward[0, row] + value[once.outcome[0, row]] - (once.state[0, row] @ kernel + bias)
            slope = np.where(mask, -2 * error, 0) / mask.sum() * once.weight[0, row] / 6
            gradient[0] += once.state[0, row][:, None] * slope
            gradient[1] += slope
        for place, array in enumerate((kernel, bias)):
            first[place] = 0.9 * first[place] + 0.1 * gradient[place]
            second[place] = 0.999 * second[place] + 0.001 * gradient[place] ** 2
            size = learner.options.learning_rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            array -= size * first[place] / (np.sqrt(second[place]) + 1e-7)
    learner.update(once)
    for found, expected in zip(learner.weights("online"), (kernel, bias), strict=True):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_targets_and_averages_follow() -> None:
    polyak, periodic = agent(target_rate=0.25, average_rate=0.01), agent(target="periodic", target_period=4)
    start = polyak.weights("online")[0]
    polyak.update(batches(1))
    assert not (polyak.weights("target")[0] == start).all()
    assert not (polyak.weights("average")[0] == start).all()
    assert (periodic.weights("target")[0] == start).all()
    for number in (1, 2, 3):
        periodic.update(batches(number))
        assert (periodic.weights("target")[0] == start).all() == (number < 2)
    assert (periodic.weights("target")[0] != periodic.weights("online")[0]).any()


def test_the_average_begins_as_a_plain_mean() -> None:
    learner = agent(updates=2, average_rate=1e-6)
    learner.update(batches(1))
    one = agent(updates=2)
    half = Batches(*(column[:1] for column in batches(1)))
    one.update(half)
    mean = (one.weights("online")[0] + learner.weights("online")[0]) / 2
    assert learner.weights("average")[0] == pytest.approx(mean, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("decay", ["cosine", "linear", "none"])
def test_the_step_size_falls_along_its_schedule(decay: str) -> None:
    learner = agent(total=100, decay=decay, learning_rate=0.1, learning_rate_end=0.2)
    rates = [float(learner._learning_rate(tf.constant(step))) for step in (0, 50, 100, 1000)]
    assert rates == pytest.approx([0.1] * 4 if decay == "none" else [0.1, 0.06, 0.02, 0.02], rel=1e-5)


def test_a_gradient_is_clipped_to_its_norm() -> None:
    free, clipped = agent(clip_norm=0.0), agent(clip_norm=1e-12)  # Adam would undo any larger factor
    start = free.weights("online")[0]
    batch = batches()
    assert free.update(batch).norm[0] == clipped.update(batch).norm[0] > 1e-3
    assert np.abs(clipped.weights("online")[0] - start).max() < 1e-4 < np.abs(free.weights("online")[0] - start).max()


@pytest.mark.parametrize("options", [
    {}, {"dueling": True}, {"quantiles": 4}, {"quantiles": 4, "dueling": True}, {"noisy": True}, {"layers": ()},
    {"layers": (64, 64)},
], ids=str)
def test_the_native_forward_pass_agrees_with_keras(options: dict[str, Any]) -> None:
    learner = agent(**options)
    for number in range(3):
        learner.update(batches(number))
    states = np.random.default_rng(9).standard_normal((500, INPUTS)).astype(np.float32)
    for which in ("online", "target", "average"):
        expected = learner.q_values(states, which)
        found = ForwardPass(learner.layers(which)).values(states)
        scale = np.abs(expected).max()
        assert np.abs(found - expected).max() <= 1e-5 * scale
        best = np.sort(expected, 1)
        clear = best[:, -1] - best[:, -2] > 1e-5 * scale
        assert (found.argmax(1) == expected.argmax(1))[clear].all()


@pytest.mark.parametrize("options", [
    {}, {"dueling": True, "quantiles": 3}, {"noisy": True}, {"backup": "taken", "loss": "huber", "double": False},
], ids=str)
def test_the_same_seed_gives_the_same_bits_and_a_state_goes_on(options: dict[str, Any]) -> None:
    taken = options.get("backup") == "taken"
    one, other, late = agent(**options), agent(**options), agent(**options, seed=1)
    for number in range(4):
        if number == 2:
            late.restore(one.state())
        metrics = [learner.update(batches(number, taken)) for learner in (one, other)]
        assert all(a.tobytes() == b.tobytes() for a, b in zip(*metrics, strict=True))
    assert one.gradient_steps == 8
    if not options.get("noisy"):  # the noise is the seed's own
        for number in (2, 3):
            late.update(batches(number, taken))
        assert {k: v.tobytes() for k, v in late.state().items()} == {k: v.tobytes() for k, v in one.state().items()}
    assert agent(**options, seed=2).weights()[0].tobytes() != agent(**options).weights()[0].tobytes()


def test_quantiles_learn_a_distribution() -> None:
    draw = np.random.default_rng(0)
    learner = Agent(1, 2, LearnerOptions(layers=(), quantiles=5, learning_rate=0.05, batch=256, updates=8), 320)
    for _ in range(40):
        reward = np.stack([draw.exponential(1, (8, 256)), draw.normal(3, 1, (8, 256))], 2).astype(np.float32)
        learner.update(Batches(
            np.zeros((8, 256, 1), np.float32), np.ones((8, 256, 2), bool), np.zeros((8, 256), np.int32), reward,
            np.ones((8, 256), np.float32), np.zeros((8, 256, 2), np.uint8), np.zeros((8, 256, 1, 1), np.float32),
            np.ones((8, 256, 1, 2), bool), np.zeros((8, 256), np.float32), np.ones((8, 256), np.float32)))
    found = learner.model("online")(np.zeros((1, 1), np.float32)).numpy()[0]
    shares = (np.arange(5) + 0.5) / 5
    assert found[0] == pytest.approx(-np.log(1 - shares), abs=0.1)
    assert found[1] == pytest.approx(3 + np.array([-1.2816, -0.5244, 0, 0.5244, 1.2816]), abs=0.12)


def test_noise_is_drawn_anew_for_acting_and_never_for_the_result() -> None:
    learner = agent(noisy=True)
    plain, first, second = learner.layers("online"), learner.layers("online", 1), learner.layers("online", 2)
    assert (plain[0] == first[0]).all()
    assert (plain[-2] != first[-2]).any()
    assert (first[-2] != second[-2]).any()
    assert first[-2].tobytes() == learner.layers("online", 1)[-2].tobytes()
    assert len(learner.weights()) == 6  # kernel and bias of two layers, and sigmas of the last


def test_learning_is_by_samples_only() -> None:
    import ast
    from pathlib import Path

    import mmbt.learn

    for source in Path(str(mmbt.learn.__file__)).parent.glob("*.py*"):
        if source.suffix == ".py":
            for node in ast.walk(ast.parse(source.read_text("utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else (
                    [node.module or ""] if isinstance(node, ast.ImportFrom) else [])
                assert not [name for name in names if "theory" in name or "exact" in name]
        elif source.suffix in {".pyx", ".pxd"}:
            assert "theory" not in source.read_text("utf-8")
