"""Any file -> a table."""
