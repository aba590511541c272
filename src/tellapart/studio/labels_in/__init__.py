"""Labels that were given elsewhere: read from files of other tools, matched to the studio's photos."""
