"""The shop: takes orders, asks the warehouse for the goods, and tells customers how it goes."""
