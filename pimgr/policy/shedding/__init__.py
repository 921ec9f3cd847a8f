"""What an outage takes, in which order, and how long the battery lasts."""
