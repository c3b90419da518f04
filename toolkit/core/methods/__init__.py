"""Cures on cached embeddings and class vectors: tensors in, tensors out."""
