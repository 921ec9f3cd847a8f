"""A year in a minute: the real `decide` against a house's physics, in virtual time. No box needs any of it to run."""
