"""Embeddings room: from frames to packed float16 vectors. No label, no trained head; torch loads lazily."""
