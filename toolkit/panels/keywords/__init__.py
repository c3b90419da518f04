"""Keywords of mistakes."""
