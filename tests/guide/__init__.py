"""The program of docs/guide.md, and its tests."""
