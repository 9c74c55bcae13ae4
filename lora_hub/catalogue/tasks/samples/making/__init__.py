"""What composed the samples. The product never imports it."""
