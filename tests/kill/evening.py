"""The house that is played to, and the config that its supervisor gets."""

HOUSE = """
version = 1
charge = 80.0
solar_w = 500.0
[grid]
return_s = 0.1
[[device]]
id = "gateway"
kind = "gateway"
[[device]]
id = "pump"
kind = "kasa"
[[device]]
id = "boiler"
kind = "kasa"
watts = 900.0
[[device]]
id = "lamp"
kind = "kasa"
on = false
[[device]]
id = "strip"
kind = "kasa"
outlets = 3
on = [true, false, true]
[[device]]
id = "nas"
kind = "ssh"
mac = "02:00:00:00:00:07"
shutdown_s = 0.3
boot_s = 0.3
authorized_keys = ["{key}"]
"""
CONFIG = """version = 1
[grid]
sources = ["gateway"]
poll = "300ms"
confirm = "0s"
settle = "400ms"
[restore]
stagger = "50ms"
[[tiers]]
name = "at once"
at_once = true
loads = ["pump", "boiler", "lamp", "strip/1", "strip/2", "strip/3", "nas"]
[connections.gateway]
type = "powerwall.gateway"
address = "127.0.0.1:{gateway}"
password = {{ secret = "gateway-password" }}
[connections.pump]
type = "kasa.plug"
address = "127.0.0.1"
port = {pump}
[connections.boiler]
type = "kasa.plug"
address = "127.0.0.1"
port = {boiler}
[connections.lamp]
type = "kasa.plug"
address = "127.0.0.1"
port = {lamp}
[connections.strip]
type = "kasa.plug"
address = "127.0.0.1"
port = {strip}
outlets = 3
[connections.nas]
type = "ssh-host.linux"
address = "127.0.0.1"
port = {nas}
user = "pimgr"
key = {{ secret = "nas-key" }}
host_key = "{host_key}"
mac = "02:00:00:00:00:07"
wake_address = "127.0.0.1"
wake_port = {wake}
"""
