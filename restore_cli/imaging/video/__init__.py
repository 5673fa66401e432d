"""Video: frames as they lie in streams and files, and what they are as pixels."""
