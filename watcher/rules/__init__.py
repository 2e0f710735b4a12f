"""Mail to handlers: in go facts of a mail and the rules; out comes the plan of what is to be done. Pure."""
