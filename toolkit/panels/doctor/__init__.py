"""`Doctor`: what to look at before believing a number."""
