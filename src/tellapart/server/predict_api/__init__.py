"""The API of one model: photos in, answers out."""
