"""How thermostats are eased as the battery falls, and cooled ahead of hot peaks."""
