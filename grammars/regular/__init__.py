"""Regular languages over Unicode code points: from patterns, formats and finite sets to grammar IR."""
