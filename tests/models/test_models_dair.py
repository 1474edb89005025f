from collections.abc import Callable

import torch
from counted import learned, right, scenes, with_counts

from pcgen.models.scenes.air import AIR
from pcgen.models.scenes.dair import DAIR

CONTRACT = {"dair": {"steps": 2, "hidden": 16, "code": 3, "background": 4, "grid": 4}}


def test_a_count_that_no_training_scene_has_is_inferred_and_air_does_not_infer_it(
    measured: Callable[..., None],
) -> None:
    three = with_counts(scenes(), (3,))
    shares = {cls: float(right(learned(cls, (0, 1, 2), 120), three).mean()) for cls in (AIR, DAIR)}
    measured(
        "share of scenes of 3 whose count is right after training on 0 to 2", shares[DAIR], f"air {shares[AIR]:.2f}"
    )
    assert shares[DAIR] > 0.8
    assert shares[DAIR] > shares[AIR] + 0.2


def test_a_step_knows_the_steps_before_by_what_they_explained_alone() -> None:
    """The first step of a scene without the object that was found is the second step of the scene."""
    model = DAIR((64, 3), steps=2, hidden=16, code=3)
    torch.manual_seed(0)
    looked: list[torch.Tensor] = []
    model.plan.register_forward_hook(lambda module, given, look: looked.append(given[2]))
    model.locate.register_forward_hook(lambda module, given, out: looked.append(given[0]))
    u = torch.rand(3, 64, 3) - 0.5
    model.infer(u)
    weight, second = looked[2], looked[3]
    assert not torch.equal(looked[0], weight)
    look = model.plan(u, model.frame.reach[1], weight)
    nothing = torch.zeros(3, 16)
    before = torch.zeros(3, model.plan.width + 4)
    state = model.state(torch.cat([look.summary, before], dim=1), nothing)
    feature = look.attend(model.query(state), torch.zeros_like(look.mass))[1]
    torch.testing.assert_close(second, torch.cat([state, feature], dim=1))
