"""Graphs: made, judged, and run one photo a call, several at once."""
