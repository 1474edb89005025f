"""Where points land, against positions worked out by hand."""

import numpy as np
import pytest

from pcgen.view.camera import Camera, frame


def test_axes_of_known_directions() -> None:
    np.testing.assert_allclose(Camera(0, 0).axes(), np.eye(3), atol=1e-12)  # from the z axis: x is right, y up
    side = Camera(90, 0).axes()  # from the x axis: -z is right, y up
    np.testing.assert_allclose(side, [[0, 0, -1], [0, 1, 0], [1, 0, 0]], atol=1e-12)
    top = Camera(0, 90).axes()  # from above: x is right, and what is far (-z) is up
    np.testing.assert_allclose(top, [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-12)


@pytest.mark.parametrize("azimuth", [-130, 0, 35, 200])
@pytest.mark.parametrize("elevation", [-40, 0, 22, 80])
def test_axes_are_a_rotation_that_keeps_up_upright(azimuth: float, elevation: float) -> None:
    axes = Camera(azimuth, elevation).axes()
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1)
    up = axes @ [0, 1, 0]
    assert up[0] == pytest.approx(0) and up[1] > 0


def test_frame_projects_by_perspective() -> None:
    cloud = np.array([[-1.0, 0, 0], [1, 0, 0], [0, 0.5, 0], [0, -0.5, 0]])
    framed = frame([cloud], Camera(0, 0), 200, margin=0.1)
    # The radius is 1, so the eye is 6 away; 1 unit must span 200 * (0.5 - 0.1) = 80 pixels.
    assert framed.distance == 6 and framed.focal == pytest.approx(480)
    np.testing.assert_allclose(framed.project(cloud), [[-80, 0], [80, 0], [0, 40], [0, -40]], atol=1e-9)
    np.testing.assert_allclose(framed.project(np.array([[1.0, 0, 3.0]])), [[160, 0]])  # half as far, twice as large
    assert (framed.width, framed.height) == (200, 120)  # 2 * (40 + 0.1 * 200)


def test_frame_centres_and_contains_every_cloud() -> None:
    generator = np.random.default_rng(0)
    clouds = [generator.normal(size=(300, 3)) * generator.uniform(0.2, 2, 3) + 50 for _ in range(5)]
    framed = frame(clouds, Camera(), 240)
    assert framed.height == max(framed.heights)
    for cloud, floor, height in zip(framed.clouds, framed.floors, framed.heights, strict=True):
        room = np.array([240 * (0.5 - 0.075), height / 2 - 240 * 0.075])
        seen = framed.project(np.concatenate([cloud, floor]))
        np.testing.assert_allclose(seen.min(axis=0) + seen.max(axis=0), 0, atol=0.1)
        assert (np.abs(seen) <= room + 0.6).all()


def test_shared_scale_keeps_sizes_and_each_fills() -> None:
    cube = np.stack(np.meshgrid([-1.0, 1], [-1.0, 1], [-1.0, 1]), axis=-1).reshape(-1, 3)

    def widths(scale: str) -> list[float]:
        framed = frame([cube, cube / 4], Camera(), 200, scale)
        return [float(np.ptp(framed.project(cloud)[:, 0])) for cloud in framed.clouds]

    large, small = widths("shared")
    assert small == pytest.approx(large / 4, rel=0.05)  # not exactly: the near side of the large cube is nearer
    large, small = widths("each")
    assert small == pytest.approx(large)


def test_a_cloud_that_blew_up_is_shrunk_and_says_so() -> None:
    cube = np.stack(np.meshgrid([-1.0, 1], [-1.0, 1], [-1.0, 1]), axis=-1).reshape(-1, 3)
    framed = frame([cube, cube * 3, cube * 60, cube], Camera(), 200)
    widths = [float(np.ptp(framed.project(cloud)[:, 0])) for cloud in framed.clouds]
    assert framed.shrunk == pytest.approx((1, 1, 20, 1))
    assert [framed.scale_of(i) for i in range(4)] == ["", "", "1 : 20", ""]
    assert widths[2] == pytest.approx(widths[1]) and widths[0] == pytest.approx(widths[1] / 3, rel=0.05)
    assert frame([cube, cube * 60], Camera(), 200, "each").shrunk == (1, 1)


def test_floor_is_below_every_point() -> None:
    cloud = np.random.default_rng(1).normal(size=(50, 3))
    framed = frame([cloud], Camera(35, 22), 200)
    up = Camera(35, 22).axes() @ [0, 1, 0]
    heights = framed.clouds[0] @ up
    np.testing.assert_allclose(framed.floors[0] @ up, heights.min())
    lifted = framed.clouds[0] - framed.floors[0]
    np.testing.assert_allclose(lifted, np.outer(heights - heights.min(), up), atol=1e-12)


@pytest.mark.parametrize("scale", ["shared", "each"])
def test_degenerate_clouds_stay_before_the_camera(scale: str) -> None:
    towards = Camera().axes()[2]
    rod = np.outer(np.linspace(-1, 1, 20), towards)  # seen from its end
    framed = frame([np.zeros((1, 3)), np.full((4, 3), 1e6), rod], Camera(), 200, scale)
    for cloud in framed.clouds:
        assert (cloud[:, 2] < framed.distance / 2).all()
        assert np.isfinite(framed.project(cloud)).all()
