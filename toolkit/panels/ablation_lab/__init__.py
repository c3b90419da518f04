"""`AblationLab`: heads off, and what follows."""
