"""What a table is, its cells as texts, and how a finding about its rows is written down."""
