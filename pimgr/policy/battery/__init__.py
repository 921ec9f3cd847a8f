"""The battery's own settings: the tariff, the floor for outages, and how a setting is seen through."""
