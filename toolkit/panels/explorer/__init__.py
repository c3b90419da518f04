"""`Explorer`: all panels on one selection."""
