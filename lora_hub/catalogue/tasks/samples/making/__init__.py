"""The scripts that made the samples. The product never imports them."""
