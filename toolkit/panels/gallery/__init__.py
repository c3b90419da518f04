"""`Gallery`: images one can choose from."""
