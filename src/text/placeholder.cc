// Replaced as the floor fills.
