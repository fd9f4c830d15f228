"""New projects: ``daebus new``. In goes the name of a service; out come the files of a project, from templates.

`creating` writes a project and its first commit, `updating` merges what a newer daebus would write. Only the command
line calls them.
"""
