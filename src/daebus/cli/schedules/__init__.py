"""``daebus schedules``: the background tasks that the replicas of a service share, and their runs."""
