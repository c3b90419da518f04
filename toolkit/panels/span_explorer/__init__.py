"""`SpanExplorer`: what heads say in words."""
