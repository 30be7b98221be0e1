import numpy as np
import pytest

from al_assets.demo.rendering import (
    HEIGHT,
    WIDTH,
    Scene,
    Visit,
    paint_background,
    present,
    render_clip,
    render_frames,
)
from al_assets.frames.decoding import decode

BAR = np.zeros((8, 8))
BAR[:, 2:6] = 1.0


def visit(name: str = "one", start: int = 10, stop: int = 40, x: float = 0.5, side: int = -1) -> Visit:
    return Visit(
        name, BAR, start, stop, x=x, y=0.5, size=120, colour=(240.0, 240.0, 240.0), side=side, phase=0.0
    )


@pytest.fixture
def background() -> np.ndarray:
    return paint_background(np.random.default_rng(3), hue=(80, 90, 70), clutter=3)


@pytest.fixture
def scene(background: np.ndarray) -> Scene:
    return Scene(background, (visit(),), frames=50)


def test_an_individual_is_present_while_most_of_it_stands_in_the_picture(scene: Scene) -> None:
    seen = [bool(present(scene, index)) for index in range(scene.frames)]
    assert not any(seen[:10])
    assert not seen[10]  # the first frame of the visit: still beyond the edge
    assert all(seen[15:35])
    assert not any(seen[40:])


def test_two_individuals_are_named_in_a_stable_order(background: np.ndarray) -> None:
    scene = Scene(background, (visit("two", x=0.73, side=1), visit("one", x=0.27)), frames=50)
    assert present(scene, 25) == ("one", "two")


def test_what_the_decoded_clip_shows_is_what_the_truth_says(tmp_path, scene: Scene) -> None:
    truth = render_clip(tmp_path / "clip.mp4", scene, np.random.default_rng(0))
    frames = [frame.image for frame in decode(tmp_path / "clip.mp4")]
    middle = [float(image[60:180, 130:190].mean()) for image in frames]
    assert len(frames) == len(truth) == scene.frames
    assert frames[0].shape == (HEIGHT, WIDTH, 3)
    assert min(middle[15:35]) > max(middle[:9]) + 50


def test_frames_of_one_stay_are_nearly_alike_but_not_the_same(tmp_path, scene: Scene) -> None:
    render_clip(tmp_path / "clip.mp4", scene, np.random.default_rng(0))
    images = [frame.image.astype(np.int16) for frame in decode(tmp_path / "clip.mp4")]
    within = np.abs(images[25] - images[24]).mean()
    across = np.abs(images[25] - images[5]).mean()
    assert 0 < within < across / 3


def test_the_same_scene_and_generator_give_the_same_pixels(scene: Scene) -> None:
    first, second = (list(render_frames(scene, np.random.default_rng(3))) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
