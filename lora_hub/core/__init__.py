"""What everything stands on: nouns, errors, settings, our folders on disk, events. Imports nothing of the other
rooms."""
