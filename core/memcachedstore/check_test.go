package memcachedstore_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memcachedstore"
	"github.com/satchel-go/satchel/internal/testing/memcachedtest"
	"github.com/satchel-go/satchel/internal/testing/tcpproxy"
)

// start makes a Manager, as an application does at its start.
func start(t *testing.T, c memcachedstore.Config, addresses ...string) error {
	t.Helper()
	store := memcachedstore.New(c, addresses...)
	t.Cleanup(func() { _ = store.Close() })
	_, err := core.New(core.ServerSide(store), core.Config{})
	return err
}

// wantAdvice checks that err says what to change.
func wantAdvice(t *testing.T, err error, advice string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), advice) {
		t.Errorf("core.New: %v; want advice with %q", err, advice)
	}
}

func TestStartRefusesServers(t *testing.T) {
	for name, test := range map[string]struct {
		args   []string
		config memcachedstore.Config
		advice string // "" if it is not refused
	}{
		"plain":             {args: []string{"-M"}},
		"evicts":            {advice: "start it with -M"},
		"evicts, allowed":   {config: memcachedstore.Config{AllowEviction: true}},
		"does not compare":  {args: []string{"-M", "-C"}, advice: "start it without -C"},
		"small items":       {args: []string{"-M", "-I", "64k", "-o", "slab_chunk_max=32768"}, advice: "start it with -I 1m"},
		"small items, less": {args: []string{"-M", "-I", "128k", "-o", "slab_chunk_max=65536"}},
		"wants a password":  {args: []string{"-M", "-Y", memcachedtest.Readable(t, []byte("ann:hunter2\n"))}, advice: "a password, which is not supported"},
		"checks skipped":    {config: memcachedstore.Config{SkipChecks: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := start(t, test.config, memcachedtest.Shared(t).Addr(), memcachedtest.Start(t, test.args...).Addr())
			if test.advice != "" {
				wantAdvice(t, err, test.advice)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// scripted runs a server that answers each line with what answer returns, for servers that
// cannot be had. After an empty answer it closes the connection.
func scripted(t *testing.T, answer func(line string) string) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	serve := func(conn net.Conn) {
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		for r := bufio.NewReader(conn); ; {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			text := answer(strings.TrimRight(line, "\r\n"))
			if _, err := conn.Write([]byte(text)); err != nil || text == "" {
				return
			}
		}
	}
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); wg.Wait() })
	return listener.Addr().String()
}

func TestStartRefusesWhatIsNoMemcached(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(line string) string
		advice string // "" if it is not refused
	}{
		"too old":         {func(string) string { return "VERSION 1.5.22\r\n" }, "is version 1.5.22: upgrade it to 1.6 or later"},
		"much too old":    {func(string) string { return "VERSION 0.9.1-rc1\r\n" }, "upgrade it to 1.6 or later"},
		"without meta":    {versioned("ERROR\r\n"), "does not know the meta commands"},
		"hides settings":  {settings("ERROR\r\n"), ""},
		"of another kind": {func(string) string { return "HTTP/1.1 400 Bad Request\r\n\r\n" }, "does not answer like Memcached"},
		"like Redis":      {func(string) string { return "-ERR unknown command\r\n" }, "does not answer like Memcached"},
		"silent":          {func(string) string { return "" }, "does not answer like Memcached"},
		"half settings":   {settings("STAT evic"), "cannot be reached"},
		"endless line":    {settings("STAT evictions " + strings.Repeat("x", 1<<20)), "does not answer like Memcached"},
		"endless list":    {settings(many()), "does not answer like Memcached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := start(t, memcachedstore.Config{}, scripted(t, test.answer))
			if test.advice != "" {
				wantAdvice(t, err, test.advice)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// many returns more settings than any server has.
func many() string {
	var b strings.Builder
	for i := range 5000 {
		b.WriteString("STAT ")
		b.WriteString(strings.Repeat("n", i%300+1))
		b.WriteByte(byte('a' + i%26))
		b.WriteByte(byte('a' + i/26%26))
		b.WriteString(" 1\r\n")
	}
	return b.String()
}

// versioned returns the answers of a server that has a version, and else answers other.
func versioned(other string) func(string) string {
	return func(line string) string {
		if line == "version" {
			return "VERSION 1.6.99-proxy\r\n"
		}
		return other
	}
}

// settings returns the answers of a server that has these settings.
func settings(text string) func(string) string {
	return func(line string) string {
		if strings.HasPrefix(line, "mg ") {
			return "EN\r\n"
		}
		return versioned(text)(line)
	}
}

func TestStartWithoutServer(t *testing.T) {
	proxy := tcpproxy.Start(t, memcachedtest.Shared(t).Addr())
	wantAdvice(t, start(t, memcachedstore.Config{}, "127.0.0.1:1"), "the server at 127.0.0.1:1 cannot be reached")
	proxy.Blackhole()
	began := time.Now()
	wantAdvice(t, start(t, memcachedstore.Config{}, proxy.Addr()), "cannot be reached")
	if d := time.Since(began); d > 8*time.Second {
		t.Errorf("it took %v to say so", d)
	}
	if err := start(t, memcachedstore.Config{SkipChecks: true}, proxy.Addr()); err != nil {
		t.Errorf("with SkipChecks: %v", err)
	}
}

func TestStartRefusesConfig(t *testing.T) {
	good := memcachedtest.Shared(t).Addr()
	for _, test := range []struct {
		advice    string
		config    memcachedstore.Config
		addresses []string
	}{
		{"needs the address of a server", memcachedstore.Config{}, nil},
		{`"localhost" is not an address`, memcachedstore.Config{}, []string{good, "localhost"}},
		{`":11211" is not an address`, memcachedstore.Config{}, []string{":11211"}},
		{"is named twice", memcachedstore.Config{}, []string{good, good}},
		{"Config.Prefix", memcachedstore.Config{Prefix: "my app:"}, []string{good}},
		{"Config.Prefix", memcachedstore.Config{Prefix: "a\r\nflush_all\r\n"}, []string{good}},
		{"Config.Prefix", memcachedstore.Config{Prefix: "é"}, []string{good}},
		{"Config.Prefix", memcachedstore.Config{Prefix: strings.Repeat("x", 129)}, []string{good}},
		{"Config.Timeout", memcachedstore.Config{Timeout: -1}, []string{good}},
		{"Config.MaxConns", memcachedstore.Config{MaxConns: -1}, []string{good}},
	} {
		wantAdvice(t, start(t, test.config, test.addresses...), test.advice)
		test.config.SkipChecks = true
		wantAdvice(t, start(t, test.config, test.addresses...), test.advice)
		store := memcachedstore.New(test.config, test.addresses...)
		if _, err := store.Load(t.Context(), core.ID{1}); err == nil || !strings.Contains(err.Error(), test.advice) {
			t.Errorf("Load: %v, want what is wrong with the configuration", err)
		}
		_ = store.Close()
	}
	if err := start(t, memcachedstore.Config{Prefix: strings.Repeat("x", 128)}, good); err != nil {
		t.Errorf("with the longest prefix: %v", err)
	}
}

// What needs an index of users is refused when a Manager is made, or not supported.
func TestI2WhatItCannotPromiseIsDeclared(t *testing.T) {
	store := newStore(t, memcachedstore.Config{}, memcachedtest.Shared(t).Addr())
	backend := core.ServerSide(store)
	if _, err := core.New(backend, core.Config{SessionLimit: 3}); !errors.Is(err, core.ErrUnsupported) {
		t.Errorf("a limit of sessions: %v, want it refused", err)
	}
	manager, err := core.New(backend, core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, listErr := manager.List(t.Context(), "ann")
	_, userErr := manager.RevokeUser(t.Context(), "ann")
	for name, err := range map[string]error{"List": listErr, "RevokeUser": userErr} {
		if !errors.Is(err, core.ErrUnsupported) {
			t.Errorf("%s: %v, want ErrUnsupported", name, err)
		}
	}
	if _, ok := any(store).(core.Watcher); ok {
		t.Error("the store claims to tell of ended sessions")
	}
}

func TestTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil)
	defer web.Close()
	certificate := web.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file := func(kind string, der []byte) string {
		return memcachedtest.Readable(t, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	server := memcachedtest.Start(t, "-M", "-Z", "-o",
		"ssl_chain_cert="+file("CERTIFICATE", certificate.Certificate[0])+",ssl_key="+file("PRIVATE KEY", key))
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	trusting := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	proxy := tcpproxy.Start(t, server.Addr())
	store := newStore(t, memcachedstore.Config{TLS: trusting, Timeout: 500 * time.Millisecond}, proxy.Addr())
	if err := store.Validate(); err != nil {
		t.Fatal(err)
	}
	id := core.ID{1}
	if _, err := store.Save(t.Context(), id, hour("x"), 0); err != nil {
		t.Error(err)
	}
	if e, err := store.Load(t.Context(), id); err != nil || string(e.Data) != "x" {
		t.Errorf("loaded %q, %v", e.Data, err)
	}
	proxy.Blackhole()
	began := time.Now()
	if _, err := store.Load(t.Context(), id); !isUnavailable(err) {
		t.Errorf("from a server that hangs: %v", err)
	}
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("a server that hangs is given up after %v", d)
	}
	wantAdvice(t, start(t, memcachedstore.Config{TLS: &tls.Config{MinVersion: tls.VersionTLS12}}, server.Addr()), "no secure connection")
	wantAdvice(t, start(t, memcachedstore.Config{TLS: trusting}, memcachedtest.Shared(t).Addr()), "no secure connection")
	if err := start(t, memcachedstore.Config{}, server.Addr()); err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("without TLS: %v, want advice", err)
	}
}
