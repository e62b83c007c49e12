package stores

import (
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
)

func TestOpen(t *testing.T) {
	for _, test := range []struct {
		url        string
		keys       string
		clientSide bool
		fails      string // what the error says, "" for none
	}{
		{url: "memory:"},
		{url: "cookie:", keys: core.GenerateKey(), clientSide: true},
		{url: "gorilla-cookie:", keys: core.GenerateKey(), clientSide: true},
		{url: "gorilla-cookie:", fails: "no keys"},
		{url: "cookie:", keys: "hunter2", fails: "store cookie: core: keyring: key 1"},
		{url: "cookie:", fails: "no keys"},
		{url: "gorilla-cookie:", keys: core.GenerateKey() + ", " + core.GenerateKey(), clientSide: true},
		{url: "gorilla-cookie:", keys: "hunter2", fails: "key 1"},
		{url: "memory://host", fails: "nothing may follow"},
		{url: "memory", fails: "known are cookie:, "},
		{url: "", fails: "known are cookie:, "},
		{url: "mysql://user:hunter2@host/0", fails: `unknown store "mysql:"; known are cookie:, `},
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

func TestKeysFromEnv(t *testing.T) {
	t.Setenv("SESSION_KEYS", "")
	first, random := KeysFromEnv()
	second, _ := KeysFromEnv()
	if _, err := core.ParseKeyring(first); err != nil || !random || first == second {
		t.Errorf("without SESSION_KEYS: random %v, %v; want new keys each time", random, err)
	}
	t.Setenv("SESSION_KEYS", first)
	if keys, random := KeysFromEnv(); keys != first || random {
		t.Errorf("SESSION_KEYS is not used")
	}
}

func TestNeedsKeys(t *testing.T) {
	for url, want := range map[string]bool{"memory:": false, "cookie:": true, "gorilla-cookie:": true} {
		if got := NeedsKeys(url); got != want {
			t.Errorf("NeedsKeys(%q) is %v, want %v", url, got, want)
		}
	}
}
