"""What the policy would have done: it goes through recorded temperatures as it would have met them."""
