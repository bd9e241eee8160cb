"""Combining grammars: union, concatenation and repetition of any, meets with regular ones (Bar-Hillel)."""
