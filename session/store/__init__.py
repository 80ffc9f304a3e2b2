"""Where jobs are kept: an SQLite database, files of large results, and the locks of those that run them."""
