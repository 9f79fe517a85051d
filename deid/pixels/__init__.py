"""Frames, codecs, regions, text detection and masks: what identifies in the pixels themselves (PS3.15 E.3.1)."""
