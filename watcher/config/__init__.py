"""TOML to frozen settings: all problems at once, with file, line and key; secrets stay where they are until used."""
