"""What heads say: TextSpan, concepts, principal components, banks of texts."""
