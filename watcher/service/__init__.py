"""
The daemon and the world around it: signals and the service manager, commands on the control socket, changed files, logs
and metrics; and what is done to the state as a whole: backup, restore, erasing.
"""
