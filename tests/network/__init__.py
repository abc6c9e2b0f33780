"""A run on a network that fails: by a proxy, by lost packets, by poolers and standbys."""
