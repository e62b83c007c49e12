package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/satchel-go/satchel/examples/internal/runtest"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

func TestMain(m *testing.M) { os.Exit(sqltest.Main(m)) }

// TestSQLServesUsersOfEveryFramework is TestRedisServesUsersOfEveryFramework on SQL
// databases.
func TestSQLServesUsersOfEveryFramework(t *testing.T) {
	bin := runtest.Build(t)
	for name, start := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + t.TempDir() + "/satchel.db" },
		"postgres": func(t *testing.T) string { return sqltest.SharedPostgres(t).URL() },
		"mysql":    func(t *testing.T) string { return sqltest.SharedMariaDB(t).URL() },
	} {
		t.Run(name, func(t *testing.T) { serveUsers(t, bin, start(t)) })
	}
}

func serveUsers(t *testing.T, bin, store string) {
	var urls []string
	for _, framework := range []string{"nethttp", "echo5", "echo", "gin", "fiber3", "fiber"} {
		urls = append(urls, runtest.Start(t, bin, "-framework", framework, "-store", store, "-addr", "127.0.0.1:0", "-insecure").URL)
	}
	ann := newClient(t, urls[0])
	at := func(i int) *client { // her browser, in another framework
		c := newClient(t, urls[i])
		c.http.Jar = ann.http.Jar
		return c
	}
	id := ann.id("POST /login?user=ann")
	for i := range urls {
		c := at(i)
		c.wants("POST /incr?key=n", 200, fmt.Sprintf(`{"value":%d}`, i+1))
		c.wants("POST /flash?kind=info&text=hello", 204, "")
		at((i+1)%len(urls)).wants("GET /flashes", 200, `[{"kind":"info","text":"hello"}]`)
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
