"""What an author writes, tried before anybody relies on it: scopes and constraints."""
