"""`srup simulate`: a fleet of devices that are not there, for trying roll-outs and for putting load on a server.

Each speaks MQTT on a connection of its own, and decides what to do with the device package's own code: its codec,
authentication, replay protection and the table of what happens next. What is simulated is the machine below: flash and slots
are memory, a restart is a new connection, and what is downloaded is checked and thrown away.
"""
