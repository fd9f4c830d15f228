"""The language server, ``daebus lsp``: it shows in the editor what ``daebus check`` knows of the wiring."""
