"""What people are told: reasons, mails, reports, drills."""
