"""The warehouse: knows what is in stock, and ships what was ordered."""
