"""The plain commands; none imports textual."""
