"""Who may sign in: users, seats, passwords, sessions, and the throttle at the door."""
