"""Commands about what is counted and kept: quotas, attachments."""
