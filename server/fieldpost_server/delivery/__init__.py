"""What a browser loads, made from what is installed here."""
