"""The loop against what it must do by hand: order, subsampling, schedules, clipping, averages, limits."""

import math
from collections import Counter

import pytest
import torch
from tiny_learners import Denoiser, Line, Shift, vectors
from torch import Tensor, nn

from pcgen.data import Clouds
from pcgen.data.thinning import thin
from pcgen.models.base import Batch, GradientLearner, Recipe
from pcgen.ops import farthest_points
from pcgen.training import NotFinite, State, steps
from pcgen.training.averages import Average
from pcgen.training.feed import Feed
from pcgen.training.options import Options


class Recorder(Line):
    """Remembers the batches and learning rates that it meets."""

    recipe = Recipe(steps=11, batch_size=4)

    def __init__(self, shape: tuple[int, ...] = (1,), lr: float = 1.0) -> None:
        super().__init__(shape, lr)
        self.batches: list[Batch] = []
        self.rates: list[float] = []

    def update(self, batch: Batch) -> dict[str, Tensor]:
        self.batches.append(batch)
        self.rates.append(self.optimizer.param_groups[0]["lr"])
        return super().update(batch)


def test_every_epoch_visits_every_row_once_in_another_order() -> None:
    model, data = Recorder(), torch.arange(10.0)[:, None]
    taken = list(steps(model, data, batch_size=4, epochs=3))
    assert [step.epoch for step in taken] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [len(batch.rows) for batch in model.batches] == [4, 4, 2] * 3
    orders = [torch.cat([batch.rows for batch in model.batches[i : i + 3]]) for i in (0, 3, 6)]
    for order in orders:
        assert order.sort().values.tolist() == list(range(10))
    assert not torch.equal(orders[0], orders[1]) and not torch.equal(orders[1], orders[2])
    for batch in model.batches:
        assert torch.equal(batch.x, data[batch.rows])


@pytest.mark.parametrize(("rows", "sizes"), [(9, [4, 4]), (10, [4, 4, 2]), (8, [4, 4]), (3, [3]), (1, [1])])
def test_a_last_batch_of_one_row_is_dropped_unless_it_is_the_only_one(rows: int, sizes: list[int]) -> None:
    model = Recorder()
    list(steps(model, torch.randn(rows, 1), batch_size=4, epochs=1))
    assert [len(batch.rows) for batch in model.batches] == sizes


def test_batch_norm_learns_from_a_set_that_leaves_one_row_over() -> None:
    assert len(list(steps(Denoiser((5,)), vectors(33), batch_size=8, epochs=2))) == 8


def test_labels_belong_to_their_rows() -> None:
    model, labels = Recorder(), torch.arange(10) * 7
    list(steps(model, torch.randn(10, 1), labels=labels, steps=5))
    for batch in model.batches:
        assert batch.labels is not None and torch.equal(batch.labels, labels[batch.rows])


def test_a_set_of_clouds_brings_points_and_labels() -> None:
    clouds = Clouds(torch.randn(6, 9, 3), labels=torch.tensor([0, 1, 0, 1, 1, 0]), classes=("a", "b"))
    model = Recorder((9, 3))
    list(steps(model, clouds, steps=3))
    for batch in model.batches:
        assert torch.equal(batch.x, clouds.points[batch.rows])
        assert batch.labels is not None and torch.equal(batch.labels, clouds.labels[batch.rows])


def test_labels_of_clouds_are_of_the_models_classes_by_name() -> None:
    clouds = Clouds(torch.randn(6, 9, 3), labels=torch.tensor([0, 1, 0, 1, 1, 0]), classes=("lamp", "chair"))
    model = Recorder((9, 3))
    model.classes = ("chair", "lamp", "table")
    list(steps(model, clouds, steps=3))
    for batch in model.batches:
        assert batch.labels is not None and torch.equal(batch.labels, 1 - clouds.labels[batch.rows])
    model.classes = ("chair", "table")
    with pytest.raises(
        ValueError, match="data: must be of the classes chair, table of this Recorder, got clouds of lamp"
    ):
        list(steps(model, clouds, steps=1))
    of_chairs = Clouds(clouds.points[:2], labels=torch.ones(2, dtype=torch.long), classes=("lamp", "chair"))
    list(steps(model, of_chairs, steps=1))  # that there are lamps elsewhere does not matter
    assert model.batches[-1].labels.eq(0).all()


def test_labels_are_integers_of_any_size() -> None:
    model, x = Recorder(), torch.randn(10, 1)
    list(steps(model, x, labels=torch.arange(10, dtype=torch.int32), steps=1))
    assert model.batches[0].labels is not None and model.batches[0].labels.dtype == torch.int64
    with pytest.raises(ValueError, match=r"labels: must be integers, got torch.float32; convert them with .long\(\)"):
        list(steps(model, x, labels=torch.arange(10.0), steps=1))


def test_subsampling_is_uniform_and_without_replacement() -> None:
    clouds = torch.arange(8.0)[None, :, None].expand(4000, 8, 3)
    drawn = thin(clouds, 3)
    assert drawn.shape == (4000, 3, 3)
    assert torch.equal(drawn[..., 0], drawn[..., 2])  # Points are moved whole.
    sets = Counter(tuple(sorted(row)) for row in drawn[..., 0].int().tolist())
    assert all(len(set(points)) == 3 for points in sets)
    assert len(sets) == math.comb(8, 3)
    expected = 4000 / math.comb(8, 3)
    # Chi-squared with 55 degrees of freedom: above 100 once in 5000 seeds, and the seed is fixed.
    assert sum((count - expected) ** 2 / expected for count in sets.values()) < 100


def test_larger_clouds_are_subsampled_afresh_at_each_draw() -> None:
    model = Recorder((4, 3))
    data = torch.randn(1, 50, 3)
    list(steps(model, data, batch_size=1, epochs=3))
    seen = [batch.x for batch in model.batches]
    assert all(x.shape == (1, 4, 3) for x in seen)
    assert not torch.equal(seen[0], seen[1]) and not torch.equal(seen[1], seen[2])
    everything = {tuple(point) for point in data[0].tolist()}
    assert all(tuple(point) in everything for x in seen for point in x[0].tolist())


def test_setup_sees_the_whole_data_once_in_the_models_size() -> None:
    class Prepared(Recorder):
        def setup(self, data: Batch) -> None:
            self.prepared = [*getattr(self, "prepared", []), tuple(data.x.shape)]

    model, state = Prepared((4, 3)), State()
    list(steps(model, torch.randn(6, 9, 3), steps=2, state=state))
    list(steps(model, torch.randn(6, 9, 3), steps=4, state=state))
    assert model.prepared == [(6, 4, 3)]
    assert state.step == 4


def test_augment_is_applied_to_every_batch_and_not_to_setup() -> None:
    model, data = Recorder(), torch.ones(8, 1)
    list(steps(model, data, steps=3, augment=lambda x: 5 * x))
    assert all((batch.x == 5).all() for batch in model.batches)
    assert (data == 1).all()


@pytest.mark.parametrize(
    ("schedule", "warmup", "curve"),
    [
        ("constant", 0, lambda f: 1.0),
        ("linear", 0, lambda f: 1 - f),
        ("cosine", 0, lambda f: (1 + math.cos(math.pi * f)) / 2),
        ("constant", 4, lambda f: min(1, (20 * f + 1) / 4)),
        ("cosine", 4, lambda f: min(1, (20 * f + 1) / 4) * (1 + math.cos(math.pi * f)) / 2),
    ],
)
def test_schedules(schedule: str, warmup: int, curve) -> None:
    model = Recorder(lr=0.3)
    list(steps(model, torch.randn(8, 1), steps=20, schedule=schedule, warmup=warmup))
    assert model.rates == pytest.approx([0.3 * curve(step / 20) for step in range(20)])


def test_a_schedule_moves_every_group_of_every_optimizer() -> None:
    model = Shift((2,))
    model.first.add_param_group({"params": [nn.Parameter(torch.zeros(1))], "lr": 0.5})
    list(steps(model, torch.randn(8, 2), steps=4, schedule="linear"))
    assert [group["lr"] for group in model.first.param_groups] == pytest.approx([0.1 / 4, 0.5 / 4])
    assert model.second.param_groups[0]["lr"] == pytest.approx(0.01 / 4)


def test_a_constant_schedule_leaves_a_models_own_rates_alone() -> None:
    class Decaying(Recorder):
        def update(self, batch: Batch) -> dict[str, Tensor]:
            told = super().update(batch)
            self.optimizer.param_groups[0]["lr"] /= 2
            return told

    model = Decaying()
    list(steps(model, torch.randn(8, 1), steps=4))
    assert model.rates == [1, 0.5, 0.25, 0.125]


def test_clip_bounds_the_gradient() -> None:
    # The gradient of w mean(x) is 10, so that each step of rate 1 moves w by -10, or by -0.5 if clipped to that.
    for clip, moved in ((None, -30.0), (0.5, -1.5)):
        model = Line()
        list(steps(model, torch.full((4, 1), 10.0), steps=3, clip=clip))
        assert model.weight.item() == pytest.approx(moved)


def test_average_against_a_hand_computation() -> None:
    model, state, data = Line(), State(), torch.full((4, 1), 1.0)
    average, weight = 0.0, 0.0
    for step in steps(model, data, steps=60, average=0.7, state=state):
        weight -= 1.0
        decay = min(0.7, 0.5 ** (20 / step.step))  # it reaches .7 after 38 updates
        average = decay * average + (1 - decay) * weight
        assert state.average is not None
        assert float(state.average.values["weight"]) == pytest.approx(average, rel=1e-5)
    assert model.weight.item() == weight


@pytest.mark.parametrize(("asked", "decay"), [(None, 0.75), (0.5, 0.5), (0, None)])
def test_average_is_that_of_the_recipe_unless_another_or_none_is_asked_for(asked, decay) -> None:
    class Averaged(Line):
        recipe = Recipe(steps=11, batch_size=4, average=0.75)

    model, state = Averaged(), State()
    list(steps(model, torch.ones(8, 1), steps=2, average=asked, state=state))
    assert (None if state.average is None else state.average.decay) == decay


def test_average_takes_in_what_the_optimizer_moves_and_the_statistics_of_batch_norm() -> None:
    model, state = Denoiser((5,)), State()
    list(steps(model, vectors(), steps=3, batch_size=8, average=0.99, state=state))
    assert state.average is not None
    own = model.state_dict()
    moved = {"net.0.weight", "net.0.bias", "net.1.weight", "net.1.bias", "net.4.weight", "net.4.bias"}
    assert set(state.average.values) == moved | {"net.1.running_mean", "net.1.running_var"}
    assert not torch.equal(state.average.values["net.1.running_mean"], own["net.1.running_mean"])


def test_averages_are_lent_and_the_weights_come_back_bit_for_bit() -> None:
    model = Denoiser((5,))
    average = Average(model, 0.5)
    list(steps(model, vectors(), steps=3, batch_size=8))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with average.applied(model):
        assert not torch.equal(model.net[0].weight, before["net.0.weight"])
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_limits() -> None:
    data = torch.randn(9, 1)
    assert len(list(steps(Recorder(), data))) == 11  # its recipe
    assert len(list(steps(Recorder(), data, steps=7))) == 7
    assert len(list(steps(Recorder(), data, epochs=2))) == 4
    taken = list(steps(Recorder(), data, minutes=0.002))
    assert taken[-1].seconds >= 0.12 > taken[-2].seconds
    assert [step.fraction for step in steps(Recorder(), data, steps=4)] == [0.25, 0.5, 0.75, 1.0]


def test_bf16_reaches_the_update() -> None:
    seen = []

    class Half(Denoiser):
        def loss(self, batch: Batch) -> dict[str, Tensor]:
            seen.append(self.net[0](batch.x).dtype)
            return super().loss(batch)

    list(steps(Half((5,)), vectors(), steps=2, bf16=True))
    list(steps(Half((5,)), vectors(), steps=1))
    assert seen == [torch.bfloat16, torch.bfloat16, torch.float32]


def test_seed_repeats_a_training_and_none_goes_on_with_the_global_generator() -> None:
    def final(**options: object) -> Tensor:
        torch.manual_seed(9)
        model = Denoiser((5,))
        list(steps(model, vectors(), steps=5, batch_size=8, **options))
        return model.net[0].weight.detach()

    assert torch.equal(final(seed=1), final(seed=1))
    assert not torch.equal(final(seed=1), final(seed=2))
    assert torch.equal(final(), final())


class Failing(GradientLearner):
    """Its loss, or a value that it returns, is not finite from the third update on."""

    def __init__(self, shape: tuple[int, ...], how: str) -> None:
        super().__init__()
        self.shape, self.how, self.count = shape, how, 0
        self.weight = nn.Parameter(torch.ones(1))
        self.optimizer = torch.optim.SGD(self.parameters(), lr=0.1)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        self.count += 1
        bad = self.count >= 3
        if self.how == "gradient":  # sqrt is finite at 0, and its slope is not
            return {"a": (self.weight * (0.0 if bad else 1.0)).abs().sum().sqrt()}
        return {"a": self.weight.sum() * (math.inf if bad else 1.0)}

    def update(self, batch: Batch) -> dict[str, Tensor]:
        if self.how != "told":
            return super().update(batch)
        self.count += 1
        return {"a": torch.tensor(1.0), "b": torch.tensor(math.nan if self.count >= 3 else 1.0)}


@pytest.mark.parametrize(("how", "told"), [("loss", "loss inf"), ("gradient", "norm"), ("told", "a 1, b nan")])
def test_what_is_not_finite_stops_at_its_step_and_names_its_rows(how: str, told: str) -> None:
    model, seen = Failing((5,), how), []
    with pytest.raises(NotFinite, match=rf"^step 3: .*{told}.*rows [\d, ]+, \.\.\. of data") as raised:
        seen.extend(steps(model, vectors(), batch_size=10, steps=9))
    assert len(seen) == 2
    assert raised.value.step == 3
    assert torch.equal(raised.value.batch.x, vectors()[raised.value.batch.rows])


@pytest.mark.parametrize(
    ("model", "data", "told"),
    [
        (Line((2,)), torch.randn(4, 3), r"data: must be \(S, 2\) .* got \(4, 3\)"),
        (Line((2,)), torch.randn(4, 2, 3), r"data: must be \(S, 2\)"),
        (Line((2,)), torch.randn(0, 2), r"S >= 1 .* got \(0, 2\)"),
        (Line((5, 3)), torch.randn(4, 5), r"data: must be \(S, M, 3\) with M >= 5"),
        (Line((5, 3)), torch.randn(4, 4, 3), "at least the 5 points of this Line, got 4"),
        (Line((2,)), torch.tensor([[0.0, 1], [math.nan, 1], [math.inf, 2]]), r"row 1 has NaN .*\(2 of 3 rows"),
        (Line((2,)), [[1.0, 2.0]], "must be a tensor or pcgen.data.Clouds, got list"),
    ],
)
def test_data_that_does_not_fit_is_refused_before_any_update(model: Line, data: Tensor, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        steps(model, data)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"epochs": 1, "steps": 2}, r"give one of them \(or none: .*\), got epochs=1, steps=2"),
        ({"steps": 0}, "steps: must be above 0, got 0"),
        ({"minutes": -1.0}, "minutes: must be above 0"),
        ({"minutes": math.nan}, "minutes: must be above 0"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"warmup": -1}, "warmup: .* got -1"),
        ({"clip": -1.0}, "clip: must be a norm above 0"),
        ({"average": 1.0}, "average: must be a decay between 0 and 1"),
        ({"batch_size": 0}, "batch_size: must be at least 1, got 0"),
        ({"labels": torch.zeros(3)}, r"labels: must be one per row of data, \(4,\), got \(3,\)"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_any_update(options: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        steps(Line((2,)), torch.randn(4, 2), **options)


def test_a_feed_draws_nothing_more_than_it_gives() -> None:
    feed, state = Feed(Line((2,)), torch.randn(7, 2), None, Options(batch_size=3)), State()
    assert feed.per_epoch == 2
    assert [len(feed.draw(state).rows) for _ in range(4)] == [3, 3, 3, 3]
    assert (state.epoch, state.batch) == (1, 2)


def test_a_model_that_wants_even_points_is_fed_with_those_that_are_farthest_from_each_other() -> None:
    class Even(Line):
        even = True

    torch.manual_seed(0)
    clouds = torch.rand(4, 200, 3)
    fed = Feed(Even((20, 3)), clouds, None, Options(batch_size=4)).draw(State())
    for row, cloud in zip(fed.x, clouds[fed.rows], strict=True):
        start = (cloud == row[0]).all(1).nonzero().flatten()
        assert torch.equal(row, cloud[farthest_points(cloud[None], 20, start)[0]])
    assert len({tuple(row[0].tolist()) for row in fed.x}) == 4


def test_a_model_that_learned_before_goes_on_as_at_its_end() -> None:
    model = Recorder()
    list(steps(model, torch.randn(8, 1), batch_size=4, steps=4))
    assert [batch.progress for batch in model.batches] == [0.0, 0.25, 0.5, 0.75]
    list(steps(model, torch.randn(8, 1), batch_size=4, steps=4))
    assert all(0.999 < batch.progress < 1 for batch in model.batches[4:])


def test_an_epoch_that_is_over_by_any_count_is_over() -> None:
    """A checkpoint may have one batch more behind it than an epoch has for the ranks that go on."""
    feed = Feed(Recorder(), torch.arange(10.0)[:, None], None, Options(batch_size=4))
    state = State(order=torch.arange(10), batch=feed.per_epoch + 1)
    assert len(feed.draw(state).rows) == 4 and (state.epoch, state.batch) == (1, 1)
