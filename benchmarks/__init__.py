"""daebus and its peers, side by side. ``nox -s bench``; README.md says the rest."""
