"""The model of the mypy plugin: containers, handlers and decorators, read from mypy's syntax trees."""
