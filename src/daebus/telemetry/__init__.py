"""What a service tells of itself: log lines, and what recurs counted instead of repeated."""
