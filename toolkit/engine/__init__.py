"""One worker per model: requests, newest wins, cancel, partial results; and the same interface inline."""
