"""Tables of the families and their gradients in machine code, imported late: the compiled route alone needs
them.

Families that share helpers share a file: the cache on disk looks at the file of the kernel alone.
"""
