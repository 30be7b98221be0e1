"""Where the columns of the main tables come from: what Dagster's column lineage shows. Declarations, no code.

An entry names columns of the asset's own table (see `asset_pages.own_table`) and, as asset.column, the columns they are
made from. What is read from the same table, or made up by the asset (a time, a seed, a reason), is left out.
"""

from collections.abc import Mapping

_MODEL = ("embeddings.vector", "training_set.target")
_SCORE = ("embeddings.vector", "checkpoint.uri")
_MEASURED = ("embeddings.vector", "training_set.target", "checkpoint.uri")

LINEAGE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "frames": {
        "frame_id": ("videos.video_no",),
        "video_id": ("videos.video_id",),
        "frame_index": ("videos.frames_per_second",),
        "image_path": ("videos.path",),
    },
    "embeddings": {
        "frame_id": ("frames.frame_id",),
        "vector": ("frames.frame_index", "frames.image_path", "videos.path"),
    },
    "labels": {
        "frame_id": ("label_exports.uri", "videos.video_no"),
        "class_id": ("label_exports.uri",),
        "present": ("label_exports.uri",),
        "agreement": ("label_exports.uri",),
        "annotators": ("label_exports.uri",),
        "annotation_id": ("label_exports.export_id",),
    },
    "training_set": {
        "training_set_id": ("labels.frame_id", "labels.class_id", "labels.present", "videos.split"),
        "frame_id": ("labels.frame_id",),
        "class_id": ("labels.class_id",),
        "target": ("labels.present",),
        "split": ("videos.split",),
        "annotation_id": ("labels.annotation_id",),
    },
    "checkpoint": {
        "checkpoint_id": _MODEL,
        "embedder_id": ("embeddings.embedder_id",),
        "training_set_id": ("training_set.training_set_id",),
        "class_ids": ("training_set.class_id",),
        "labelled_frames": ("training_set.frame_id",),
        "uri": _MODEL,
    },
    "label_review": {
        "checkpoint_id": ("checkpoint.checkpoint_id",),
        "frame_id": ("training_set.frame_id",),
        "class_id": ("training_set.class_id",),
        "present": ("training_set.target",),
        "probability": _MODEL,
        "suggested_class_id": _MODEL,
        "suggested_probability": _MODEL,
        "split": ("training_set.split",),
        "annotation_id": ("training_set.annotation_id",),
    },
    "evaluation": {
        "checkpoint_id": ("checkpoint.checkpoint_id",),
        "split": ("training_set.split",),
        "class_id": ("training_set.class_id",),
        "value": _MEASURED,
        "low": _MEASURED,
        "high": _MEASURED,
        "support": ("training_set.target",),
    },
    "slice_quality": {
        "checkpoint_id": ("checkpoint.checkpoint_id",),
        "slice": (
            "videos.site",
            "videos.camera",
            "videos.recorded_at",
            "frames.brightness",
            "training_set.class_id",
        ),
        "value": _MEASURED,
        "difference": _MEASURED,
        "worse": _MEASURED,
    },
    "candidate_checkpoint": {
        "checkpoint_id": ("checkpoint.checkpoint_id",),
        "promoted": ("evaluation.value", "evaluation.support"),
        "reason": ("evaluation.value", "evaluation.support"),
    },
    "predictions": {
        "checkpoint_id": ("candidate_checkpoint.checkpoint_id",),
        "frame_id": ("embeddings.frame_id",),
        "top_class_id": _SCORE,
        "confidence": _SCORE,
        "runner_up_class_id": _SCORE,
        "margin": _SCORE,
        "entropy": _SCORE,
        "top_five": _SCORE,
    },
    "serving_checkpoint": {
        "checkpoint_id": ("candidate_checkpoint.checkpoint_id", "predictions.checkpoint_id"),
        "promotion_id": ("candidate_checkpoint.promotion_id",),
    },
    "selection_batch": {
        "frame_id": ("predictions.frame_id", "embeddings.frame_id"),
        "score": (
            "predictions.confidence",
            "predictions.margin",
            "predictions.entropy",
            "predictions.top_five",
            "embeddings.vector",
            "frames.duplicate_of",
        ),
        "arm": ("videos.split",),
    },
}
"""Asset -> column -> asset.column that it is made from."""
