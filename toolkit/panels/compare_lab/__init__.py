"""Cures beside one another."""
