package memcachedstore

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"hash/fnv"
	"net"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/memcached"
)

// server is one of the servers among which the sessions are divided.
type server struct {
	address string
	hash    uint64
	client  *memcached.Client
}

func newServer(address string, c *Config) *server {
	h := fnv.New64a()
	_, _ = h.Write([]byte(address)) // never fails
	dial := func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", address) }
	if c.TLS != nil {
		d := tls.Dialer{Config: c.TLS.Clone()}
		dial = func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "tcp", address) }
	}
	return &server{address, h.Sum64(), memcached.New(dial, c.MaxConns)}
}

// serverOf returns the one server that has the session id, whether or not it answers. It
// is the one that scores most, so the order of the list does not matter, and a server that
// is added or taken out moves no more than its share. A change of the score logs everybody
// out who has a session on one of several servers.
func (s *Store) serverOf(id core.ID) *server {
	first, last := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	best, most := s.servers[0], uint64(0)
	for _, server := range s.servers {
		if score := mix(server.hash ^ mix(first^mix(last))); score > most {
			best, most = server, score
		}
	}
	return best
}

// mix is the last step of SplitMix64: every bit of x decides every bit of the result.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
