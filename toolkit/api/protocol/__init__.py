"""The papers' protocols, step by step."""
