"""Texts that are not written from left to right: canvases of slots, regions between fixed parts."""
