"""What panels ask, one file per panel; no widget in here, all of it works without a browser."""
