"""The page's tabs, one file each: what it draws and what its clicks do."""
