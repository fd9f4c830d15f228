"""The commands that show running services: ``daebus services`` and ``daebus top``."""
