"""Why nodes left and rings formed: what the flight recorders of nodes tell, rule by rule."""
