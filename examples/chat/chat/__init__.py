"""A chat: logins, rooms, who is there and who types, history, files."""
