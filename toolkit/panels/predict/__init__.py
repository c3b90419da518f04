"""`Predict`: a guess before the answer."""
