"""What stands between an author's app and serving it, said in words before anybody meets it."""
