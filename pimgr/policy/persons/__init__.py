"""What people ask for: leases, disarming, the receipt of an alarm."""
