"""Claims and keeps: what is taken of the house, and how it is given back."""
