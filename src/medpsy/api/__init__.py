"""Public objects: constructs, models and fits. Every verb delegates to the layers below."""
