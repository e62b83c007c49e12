package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/examples/internal/runtest"
	"github.com/satchel-go/satchel/internal/redistest"
)

// TestRedisServesUsersOfEveryFramework starts a probe of each framework on one
// Redis, in each of the ways to reach one. Users who log in at one are known,
// listed and revoked at the others, and their requests overlap.
func TestRedisServesUsersOfEveryFramework(t *testing.T) {
	bin := runtest.Build(t)
	for name, start := range map[string]func(t *testing.T) string{
		"redis":         func(t *testing.T) string { return redistest.Start(t, redistest.Password("p@ss/word")).URL() },
		"gorilla-redis": func(t *testing.T) string { return "gorilla-" + redistest.Start(t).URL() },
		"rediss": func(t *testing.T) string {
			server := redistest.Start(t, redistest.TLS())
			t.Setenv("SSL_CERT_FILE", server.CAFile())
			return server.URL()
		},
		"redis-cluster": func(t *testing.T) string {
			return "redis-cluster://" + strings.Join(redistest.StartCluster(t, 3).Addrs(), ",")
		},
		"redis-sentinel": func(t *testing.T) string {
			s := redistest.StartSentinel(t)
			return "redis-sentinel://" + strings.Join(s.Addrs(), ",") + "/" + s.MasterName()
		},
	} {
		t.Run(name, func(t *testing.T) { serveUsers(t, bin, start(t)) })
	}
}

func serveUsers(t *testing.T, bin, store string) {
	var urls []string
	for _, framework := range []string{"nethttp", "echo", "gin", "fiber"} {
		urls = append(urls, runtest.Start(t, bin, "-framework", framework, "-store", store, "-addr", "127.0.0.1:0", "-insecure").URL)
	}
	ann := newClient(t, urls[0])
	at := func(i int) *client { // her browser, at another framework
		c := newClient(t, urls[i])
		c.http.Jar = ann.http.Jar
		return c
	}
	id := ann.id("POST /login?user=ann")
	for i := range urls {
		c := at(i)
		c.wants("POST /incr?key=n", 200, fmt.Sprintf(`{"value":%d}`, i+1))
		c.wants("POST /flash?kind=info&text=hello", 204, "")
		at((i+1)%4).wants("GET /flashes", 200, `[{"kind":"info","text":"hello"}]`)
		if list := listed(t, c); len(list) != 1 || list[id].current != "true" {
			t.Errorf("framework %d lists %v", i, list)
		}
	}
	phone := newClient(t, urls[2])
	phoneID := phone.id("POST /login?user=ann")
	at(3).wants("POST /revoke?id="+phoneID, 200, `{}`)
	phone.wants("GET /get?key=n", 200, `{"found":false,"value":"","new":true,"id":"","user":""}`)
	at(1).wants("POST /revoke-user?user=ann", 200, `{}`)
	ann.wants("GET /get?key=n", 200, `{"found":false,"value":"","new":true,"id":"","user":""}`)
}

func TestStoreThatCannotWork(t *testing.T) {
	bin := runtest.Build(t)
	t.Setenv("SESSION_KEYS", core.GenerateKey())
	locked := redistest.Start(t, redistest.Password("right"))
	evicting := redistest.Start(t, redistest.Args("--maxmemory", "20mb", "--maxmemory-policy", "allkeys-lru"))
	for store, want := range map[string]string{
		"redis://:hunter2@" + locked.Addr():         "correct the client's Username and Password",
		"redis://" + locked.Addr():                  "set the client's Password",
		"gorilla-redis://:hunter2@" + locked.Addr(): "correct the client's Username and Password",
		evicting.URL():                              "maxmemory-policy noeviction",
		"redis://:hunter2@":                         "missing host",
		"redis://localhost/x":                       "number of a database",
	} {
		says := runtest.Fail(t, bin, "-store", store, "-addr", "127.0.0.1:0")
		if !strings.Contains(says, want) || strings.Contains(says, "hunter2") {
			t.Errorf("-store %s says %q, want %q", store, says, want)
		}
	}
}
