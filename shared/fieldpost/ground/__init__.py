"""What everything stands on: the zone of the person."""
