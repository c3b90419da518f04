"""Where heads look: token maps, class activation maps, and how far to trust them."""
