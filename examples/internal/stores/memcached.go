package stores

import (
	"errors"
	"net"
	"strings"

	"github.com/satchel-go/satchel/core/memcachedstore"
)

// newMemcached opens servers that are separated by commas. One without a port has
// Memcached's own.
func newMemcached(rest string) (*memcachedstore.Store, error) {
	hosts, ok := strings.CutPrefix(rest, "//")
	if !ok || hosts == "" || strings.ContainsAny(hosts, "/?#@") {
		return nil, errors.New("want servers such as memcached://host:11211,host2:11211")
	}
	addresses := strings.Split(hosts, ",")
	for i, address := range addresses {
		if _, _, err := net.SplitHostPort(address); err != nil && address != "" {
			addresses[i] = net.JoinHostPort(strings.Trim(address, "[]"), "11211")
		}
	}
	return memcachedstore.New(memcachedstore.Config{}, addresses...), nil
}
