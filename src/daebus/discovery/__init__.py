"""Discovery: which instances serve what. An instance writes it down, callers read it."""
