"""The daemon's talk with the world around it: the control socket, the service manager."""
