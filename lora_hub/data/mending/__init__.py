"""What can be done about a finding at a click."""
