"""The model of the mypy plugin: containers, handlers and their decorations, as mypy's trees have them."""
