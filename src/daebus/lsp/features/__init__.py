"""What the editor asks for: each module answers one kind of request."""
