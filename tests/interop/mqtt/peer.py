"""paho-mqtt as a client: connects, stays, says what happens.

peer.py PORT VERSION KEEP_ALIVE CLIENT_ID [WILL_DELAY]     VERSION is 4 (3.1.1) or 5
"""

import sys

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


def say(*words):
    print(*words, flush=True)


port, version, keep_alive = (int(word) for word in sys.argv[1:4])
client_id = sys.argv[4]
will_delay = int(sys.argv[5]) if len(sys.argv) > 5 else 0

client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version)
connecting = {}
will = {}
if version == 5:
    session = Properties(PacketTypes.CONNECT)
    session.SessionExpiryInterval = 60
    connecting = {"properties": session, "clean_start": False}
    will = {"properties": Properties(PacketTypes.WILLMESSAGE)}
    will["properties"].WillDelayInterval = will_delay
client.will_set("wills/" + client_id, "gone", **will)
client.on_connect = lambda c, u, flags, reason, p: say("CONNECTED", flags.session_present, reason.value)
client.on_disconnect = lambda c, u, flags, reason, p: (say("DISCONNECTED", reason.value), c.loop_stop())
client.on_log = lambda c, u, level, text: say("LOG", text)
client.reconnect_delay_set(1000)
client.connect("127.0.0.1", port, keep_alive, **connecting)
client.loop_forever(retry_first_connection=False)
