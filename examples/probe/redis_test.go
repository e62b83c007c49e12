package main

import (
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/examples/internal/runtest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// TestRedisServesUsersOfEveryFramework starts a probe of each framework on one
// Redis, reached in each possible way. Users who log in at one are known, listed
// and revoked at the others, and their requests overlap.
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

func TestStoreThatCannotWork(t *testing.T) {
	bin := runtest.Build(t)
	t.Setenv("SESSION_KEYS", sealed.GenerateKey())
	locked := redistest.Start(t, redistest.Password("right"))
	evicting := redistest.Start(t, redistest.Args("--maxmemory", "20mb", "--maxmemory-policy", "allkeys-lru"))
	for store, want := range map[string]string{
		"redis://:hunter2@" + locked.Addr():         "correct the client's Username and Password",
		"redis://" + locked.Addr():                  "set the client's Password",
		"gorilla-redis://:hunter2@" + locked.Addr(): "correct the client's Username and Password",
		evicting.URL():                              "maxmemory-policy noeviction",
		"redis://:hunter2@":                         "missing host",
		"redis://localhost/x":                       "number of a database",
		"near+" + evicting.URL() + "?window=1":      "want a duration",
		"near+" + evicting.URL() + "?window=1ms":    "Config.Window is 1ms",
	} {
		says := runtest.Fail(t, bin, "-store", store, "-addr", "127.0.0.1:0")
		if !strings.Contains(says, want) || strings.Contains(says, "hunter2") {
			t.Errorf("-store %s says %q, want %q", store, says, want)
		}
	}
}

// TestK2CopiesInOtherProcesses: what one process changes, the copies of another follow
// within the window.
func TestK2CopiesInOtherProcesses(t *testing.T) {
	bin := runtest.Build(t)
	store := "near+" + redistest.Start(t, redistest.Password("p@ss/word")).URL() + "?window=200ms"
	var clients []*client
	for _, framework := range []string{"nethttp", "fiber3"} {
		url := runtest.Start(t, bin, "-framework", framework, "-store", store, "-addr", "127.0.0.1:0", "-insecure").URL
		clients = append(clients, newClient(t, url))
	}
	here, there := clients[0], clients[1]
	there.http.Jar = here.http.Jar
	id := here.id("POST /login?user=ann")
	for _, v := range []string{"one", "two"} {
		here.wants("POST /set?key=k&value="+v, 200, `{}`)
		time.Sleep(200 * time.Millisecond)
		there.wants("GET /get?key=k", 200, `{"found":true,"value":"`+v+`","new":false,"id":"`+id+`","user":"ann"}`)
	}
	here.wants("POST /incr?key=n", 200, `{"value":1}`)
	here.wants("POST /revoke-user?user=ann", 200, `{}`)
	there.wants("POST /incr?key=n", 200, `{"value":1}`) // at once, in a new session
	here.id("POST /login?user=ann")
	here.wants("POST /revoke-user?user=ann", 200, `{}`)
	time.Sleep(200 * time.Millisecond)
	there.wants("GET /get?key=k", 200, `{"found":false,"value":"","new":true,"id":"","user":""}`)
}
