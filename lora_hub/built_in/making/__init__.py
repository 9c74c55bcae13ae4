"""What made the built-in base. The product never imports it."""
