"""The reports room: pictures and pages for people, made from rows that other rooms wrote."""
