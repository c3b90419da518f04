"""`HeadGrid`: a score of every head, layer by layer."""
