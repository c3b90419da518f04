"""Parts of a whole data set on disk: chunked, resumable, keyed by model, data and settings."""
