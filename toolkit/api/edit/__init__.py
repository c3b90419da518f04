"""The edit of the image projection: its problem, solution, frontier, price and file."""
