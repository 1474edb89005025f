"""Models of scenes: clouds of several objects, which they find, count and generate."""
