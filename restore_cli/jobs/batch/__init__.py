"""A folder tree in, restored files out; killed anywhere and run again, nothing is lost."""
