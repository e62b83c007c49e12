package stores

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core/sealed"
)

func TestOpen(t *testing.T) {
	for _, test := range []struct {
		url        string
		keys       string
		clientSide bool
		fails      string // in the error, "" for none
	}{
		{url: "memory:"},
		{url: "file:" + t.TempDir()},
		{url: "file:" + t.TempDir() + "?sweep=1s"},
		{url: "file:", fails: "want a directory"},
		{url: "file:x?sweep=soon", fails: "want a duration"},
		{url: "file:/dev/null", fails: "store file: filestore: open: /dev/null cannot be used"},
		{url: "cookie:", keys: sealed.GenerateKey(), clientSide: true},
		{url: "gorilla-cookie:", keys: sealed.GenerateKey(), clientSide: true},
		{url: "gorilla-cookie:", fails: "no keys"},
		{url: "jwt:", keys: sealed.GenerateKey(), clientSide: true},
		{url: "jwe:", keys: sealed.GenerateKey(), clientSide: true},
		{url: "jwt:", fails: "no keys"},
		{url: "jwe:x", keys: sealed.GenerateKey(), fails: "nothing may follow"},
		{url: "hybrid+memory:", keys: sealed.GenerateKey()},
		{url: "hybrid+memory:?sweep=10s&window=2s", keys: sealed.GenerateKey()},
		{url: "hybrid+redis://localhost?window=1m", keys: sealed.GenerateKey()},
		{url: "hybrid+memory:", fails: "no keys"},
		{url: "hybrid+memory:?window=soon", keys: sealed.GenerateKey(), fails: "a duration"},
		{url: "hybrid+redis://user:hunter2@/0", keys: sealed.GenerateKey(), fails: "missing host"},
		{url: "cookie:", keys: "hunter2", fails: "store cookie: sealed: keyring: key 1"},
		{url: "cookie:", fails: "no keys"},
		{url: "gorilla-cookie:", keys: sealed.GenerateKey() + ", " + sealed.GenerateKey(), clientSide: true},
		{url: "gorilla-cookie:", keys: "hunter2", fails: "key 1"},
		{url: "memory://host", fails: "nothing may follow"},
		{url: "memory", fails: "known are cookie:, "},
		{url: "", fails: "known are cookie:, "},
		{url: "mongodb://user:hunter2@host/0", fails: `unknown store "mongodb:"; known are cookie:, `},
		{url: "sqlite:" + t.TempDir() + "/satchel.db"},
		{url: "sqlite:" + t.TempDir() + "/satchel.db?sweep=1s"},
		{url: "sqlite:x?sweep=soon", fails: "want a duration"},
		{url: "sqlite:", fails: "path of a file"},
		{url: "sqlite:x?_pragma=foreign_keys(1)", fails: "path of a file"},
		{url: "sqlite:" + t.TempDir() + "/no/satchel.db", fails: "unable to open database file"},
		{url: "postgres://satchel:hunter2@127.0.0.1:1/satchel", fails: "connection refused"},
		{url: "postgres://satchel:hunter2@127.0.0.1:1/satchel?sweep=1s&sslmode=some", fails: "the parameters"},
		{url: "postgres:", fails: "want a URL"},
		{url: "postgres://satchel:hunter2@127.0.0.1:1/satchel?sslmode=some", fails: "the parameters"},
		{url: "postgres://satchel:hunter2@127.0.0.1:1/satchel?sweep=10s", fails: "connection refused"},
		{url: "postgres://satchel:hunter2@127.0.0.1:1/satchel?sweep=soon", fails: "a duration"},
		{url: "postgres://satchel:hunter2@127.0.0.1:1/satchel?sweep=0s", fails: "a duration"},
		{url: "mysql://satchel:hunter2@127.0.0.1:1/satchel", fails: "connection refused"},
		{url: "mysql://satchel:hunter2@127.0.0.1:1/satchel?timeout=soon", fails: "the parameters"},
		{url: "mysql://satchel:hunter2@host:port/satchel", fails: "want a URL"},
		{url: "memcached://localhost"},
		{url: "memcached://a:1,b,[::1]:2,[::1]"},
		{url: "memcached:", fails: "want servers such as"},
		{url: "memcached:localhost", fails: "want servers such as"},
		{url: "memcached://user:hunter2@host", fails: "want servers such as"},
		{url: "redis://localhost"},
		{url: "rediss://:hunter2@localhost:6380/1"},
		{url: "redis-cluster://a,b:7001"},
		{url: "redis-sentinel://a,b/main"},
		{url: "gorilla-redis://localhost"},
		{url: "redis:", fails: "want a URL that begins with"},
		{url: "redis://user:hunter2@/0", fails: "missing host"},
		{url: "gorilla-redis://user:hunter2@host/x", fails: "number of a database"},
		{url: "redis-sentinel://host", fails: "name of the master"},
	} {
		t.Run(test.url, func(t *testing.T) {
			backend, closeBackend, err := Open(test.url, test.keys)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("Open fails with %v, want %q and no secret", err, test.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := backend.Traits().ClientSide; got != test.clientSide {
				t.Errorf("client-side: %v, want %v", got, test.clientSide)
			}
			if err := closeBackend(); err != nil {
				t.Error(err)
			}
		})
	}
}

type countingSweeper chan struct{}

func (c countingSweeper) Sweep(context.Context) (int, error) {
	c <- struct{}{}
	return 0, errors.New("try again")
}

// A job of one's own goes on after an error, until it is stopped.
func TestSweepEvery(t *testing.T) {
	swept := make(countingSweeper, 1000)
	stop := sweepEvery(swept, time.Millisecond)
	<-swept
	<-swept
	stop()
	n := len(swept)
	time.Sleep(5 * time.Millisecond)
	if len(swept) != n {
		t.Error("it goes on after it was stopped")
	}
}

func TestKeysFromEnv(t *testing.T) {
	t.Setenv("SESSION_KEYS", "")
	first, random := KeysFromEnv()
	second, _ := KeysFromEnv()
	if _, err := sealed.ParseKeyring(first); err != nil || !random || first == second {
		t.Errorf("without SESSION_KEYS: random %v, %v; want new keys each time", random, err)
	}
	t.Setenv("SESSION_KEYS", first)
	if keys, random := KeysFromEnv(); keys != first || random {
		t.Errorf("SESSION_KEYS is not used")
	}
}

func TestNeedsKeys(t *testing.T) {
	for url, want := range map[string]bool{"memory:": false, "cookie:": true, "gorilla-cookie:": true, "jwt:": true, "jwe:": true} {
		if got := NeedsKeys(url); got != want {
			t.Errorf("NeedsKeys(%q) is %v, want %v", url, got, want)
		}
	}
}
