"""What every panel is made of, and what several share."""
