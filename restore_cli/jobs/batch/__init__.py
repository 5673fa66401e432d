"""Restores folder trees; a batch that was killed anywhere goes on when it is run again."""
