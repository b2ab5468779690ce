package gateway

import "claviger.dev/claviger/internal/netx"

// Hosts are the names under which a gateway may be addressed, for a Snapshot:
// "host" for any port, "host:port" for that one. All others are 421.
func Hosts(names ...string) netx.Hosts { return netx.NewHosts(names) }
