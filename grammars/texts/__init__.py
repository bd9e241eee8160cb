"""Languages about texts: spans of a passage, text with insertions, words contained or avoided, lengths, templates.

Each module turns its description into a `regular.language.Language`, so that all of them combine.
"""
