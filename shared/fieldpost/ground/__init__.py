"""What everything stands on: the zone of the person, and what columns hold that no type reads."""
