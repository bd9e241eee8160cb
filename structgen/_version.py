"""The version of the distribution, in a module that imports nothing."""

VERSION = "0.1.0"
