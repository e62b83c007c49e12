package memcachedstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/satchel-go/satchel/core/internal/memcached"
)

const (
	// The oldest Memcached that has the meta commands.
	oldestMajor, oldestMinor = 1, 6

	// leastItem is how large an item a server must take: a session of the default
	// [core.Config.MaxBytes] and what belongs to it, generously.
	leastItem = 128 << 10

	// checkAttempts is how often the check asks a server: the first connection can
	// take longer than a command may.
	checkAttempts = 4
)

// Validate implements [core.Validator]; [core.New] calls it. It reports what is wrong
// with the configuration, and servers that
//
//   - cannot be reached, or want a password;
//   - are older than version 1.6;
//   - evict sessions, unless [Config.AllowEviction] is set;
//   - do not compare and set, or refuse items of 128 KiB.
//
// It does not check settings that a server does not show.
func (s *Store) Validate() error {
	if s.err != nil || s.config.SkipChecks {
		return s.err
	}
	for _, server := range s.servers {
		if err := s.check(server); err != nil {
			return fmt.Errorf("memcachedstore: the server at %s %w", server.address, err)
		}
	}
	return nil
}

func (s *Store) check(server *server) error {
	var version string
	ask := func(c *memcached.Conn) (err error) {
		version, err = c.Version()
		return err
	}
	err := s.within(context.Background(), server, ask)
	for range checkAttempts - 1 {
		if !errors.Is(err, context.DeadlineExceeded) {
			break
		}
		err = s.within(context.Background(), server, ask)
	}
	if err != nil {
		return diagnose(err)
	}
	if tooOld(version) {
		return fmt.Errorf("is version %s: upgrade it to %d.%d or later", version, oldestMajor, oldestMinor)
	}
	err = s.within(context.Background(), server, func(c *memcached.Conn) error {
		_, _, err := c.Get(s.config.Prefix + "check")
		return err
	})
	if err != nil && !errors.Is(err, memcached.ErrMissing) {
		return fmt.Errorf("does not know the meta commands: it is too old, or a proxy without them: %w", err)
	}
	var settings map[string]string
	err = s.within(context.Background(), server, func(c *memcached.Conn) (err error) {
		settings, err = c.Settings()
		return err
	})
	var refused *memcached.ServerError
	if err != nil && !errors.As(err, &refused) {
		return diagnose(err)
	}
	return s.checkSettings(settings)
}

// checkSettings says what is wrong with a server's settings, as far as it shows them.
func (s *Store) checkSettings(settings map[string]string) error {
	if settings["evictions"] == "on" && !s.config.AllowEviction {
		return errors.New("throws sessions away when its memory is full, and users are logged out: " +
			"start it with -M, or accept it with Config.AllowEviction")
	}
	if settings["cas_enabled"] == "no" {
		return errors.New("cannot compare and set, so that overlapping requests would lose changes: start it without -C")
	}
	if size, err := strconv.Atoi(settings["item_size_max"]); err == nil && size < leastItem {
		return fmt.Errorf("refuses items of more than %d bytes: start it with -I 1m, the default", size)
	}
	return nil
}

// diagnose returns what to change, given an error of the first commands.
func diagnose(err error) error {
	text := err.Error()
	var network net.Error
	switch {
	case strings.Contains(text, "unauthenticated"):
		return fmt.Errorf("wants a password, which is not supported: start it without -Y and -S, and let only the application reach it: %w", err)
	case strings.Contains(text, "tls:"), strings.Contains(text, "x509:"):
		return fmt.Errorf("offers no secure connection: correct Config.TLS: %w", err)
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("cannot be reached: check that it runs, its address, and whether it uses TLS: %w", err)
	}
	return fmt.Errorf("does not answer like Memcached, or uses TLS: %w", err)
}

func tooOld(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	if errA != nil || errB != nil {
		return false // not a number that we understand
	}
	return a < oldestMajor || a == oldestMajor && b < oldestMinor
}
