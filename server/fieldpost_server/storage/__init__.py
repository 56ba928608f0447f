"""The database and the attachments store: where everything durable of the server lives."""
